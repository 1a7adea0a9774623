"""benchmarks/gpu_throughput.py is right, as far as a machine without a GPU can say."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import gpu_throughput
import pytest
import torch
from gpu import lanes, mps
from gpu.bench import Bench, Row
from gpu.bounds import bytes_of_a_step
from gpu.foreach_sgd import ForeachSGD
from gpu.fused import fuse, with_coefficient_tensors
from gpu.fused_check import largest_difference
from gpu.images import (
    BATCH_SIZE,
    TrainingSet,
    batches,
    config_of,
    fused_batches,
    noise_images,
)
from gpu.mps import MpsUnavailableError, mps_daemon
from gpu.pack import RoundRobin, digests_together, digests_with_a_failing_run
from gpu.processes import ProcessFailedError, ProcessPack
from gpu.report import Report
from gpu.runs import EagerRun, Run, digest_after, fused_run, single_run
from gpu.timing import Interval, images_per_second_together, measure
from torch import nn

import trainers.training.images
import trainers.training.train
from trainers.config.job import TrainingJob
from trainers.config.optimizers import SgdConfig
from trainers.config.run import Precision
from trainers.data.loading import Split
from trainers.optim.sgd import SGD
from trainers.training.building import build_network

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "gpu_throughput.py"
CPU = torch.device("cpu")
IMAGES = 300
MODEL = {"name": "zerosnet", "depth": 8, "width": 4}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    config = config_of(MODEL, "fp32")
    return TrainingSet.on(CPU, noise_images(IMAGES, config), config)


def run_of(data: TrainingSet, seed: int = 0, precision: Precision = "fp32") -> Run:
    return single_run(config_of(MODEL, precision, seed), data)


# The step


def test_the_eager_lane_gives_the_trainers_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of(MODEL, "fp32")
    pixels, labels = noise_images(2 * BATCH_SIZE, config)
    split = Split(pixels.numpy(), labels.numpy())
    monkeypatch.setattr(trainers.training.images, "load", lambda *_, **__: (split, split))
    recipe = config.training.model_copy(update={"epochs": 1})
    one_epoch = config.model_copy(update={"training": recipe})
    trained = trainers.training.train.train(TrainingJob(one_epoch, (), Path("nowhere")))
    run = EagerRun(config, TrainingSet.on(CPU, (pixels, labels), config))
    assert [run.step(), run.step()] == [BATCH_SIZE, BATCH_SIZE]
    assert run.digest() == trained["weights_sha256"]
    assert 100 * run.correct / (2 * BATCH_SIZE) == trained["train_accuracy"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_steps_without_host_synchronization_are_bit_identical(
    data: TrainingSet, precision: Precision
) -> None:
    eager = EagerRun(config_of(MODEL, precision), data)
    run = run_of(data, precision=precision)
    losses = 0.0
    for _ in range(3):
        eager.step()
        run.step()
        losses += eager.loss
    assert run.digest() == eager.digest()
    assert run.sums() == ([pytest.approx(losses)], [eager.correct])
    assert run.is_finite()


def test_a_restarted_benchmark_run_is_bit_identical(data: TrainingSet) -> None:
    run = run_of(data)
    first = digest_after(run, 2)
    assert digest_after(run, 3) != first
    assert digest_after(run, 2) == first


def test_a_non_finite_loss_is_detected(data: TrainingSet) -> None:
    run = run_of(data)
    with torch.no_grad():
        next(run.network.parameters()).fill_(torch.inf)
    run.step()
    assert not run.is_finite()


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("weight_decay", [0, 1e-4])
@pytest.mark.parametrize("momentum", [0, 0.9])
def test_foreach_sgd_is_bit_identical_to_sgd(
    momentum: float, weight_decay: float, nesterov: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(shape, generator=generator) for shape in ((5, 3, 3, 3), (7,), (4, 6))]
    recipe = {"momentum": momentum, "weight_decay": weight_decay, "nesterov": nesterov}
    ours = [nn.Parameter(value.clone()) for value in start]
    theirs = [nn.Parameter(value.clone()) for value in start]
    foreach, sgd = (
        ForeachSGD(ours, **recipe),
        SGD(theirs, SgdConfig.model_construct(**recipe)),
    )
    for step in range(5):
        for one, other in zip(ours, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=generator)
            one.grad[one.grad < -1] = 0
            other.grad = one.grad.clone()
        rate = 0.1 / (1 + step)
        foreach.step(rate)
        sgd.step(rate)
        for one, other in zip(ours, theirs, strict=True):
            assert one.detach().numpy().tobytes() == other.detach().numpy().tobytes()


def test_a_learning_rate_on_the_device_matches_up_to_rounding() -> None:
    number, tensor = (nn.Parameter(torch.linspace(-1, 1, 50)) for _ in range(2))
    recipe = {"momentum": 0.9, "weight_decay": 1e-4, "nesterov": False}
    steps: list[tuple[nn.Parameter, Any]] = [(number, 0.1), (tensor, torch.tensor(0.1))]
    for parameter, rate in steps:
        optimizer = ForeachSGD([parameter], **recipe)
        for _ in range(3):
            parameter.grad = torch.linspace(2, 0, 50)
            optimizer.step(rate)
    torch.testing.assert_close(number, tensor, rtol=1e-6, atol=1e-7)
    assert not torch.equal(number, torch.linspace(-1, 1, 50))


def test_foreach_sgd_refuses_a_parameter_without_a_gradient() -> None:
    parameters = [nn.Parameter(torch.ones(2)) for _ in range(3)]
    parameters[0].grad = torch.ones(2)
    optimizer = ForeachSGD(parameters, momentum=0.9, weight_decay=0, nesterov=False)
    with pytest.raises(RuntimeError, match="2 of 3 parameters"):
        optimizer.step(0.1)


# Batches


def test_batches_gathered_together_equal_those_gathered_one_by_one() -> None:
    config = config_of(MODEL, "fp32")
    data = TrainingSet.on(CPU, noise_images(5 * BATCH_SIZE + 7, config), config)
    # Two epochs: five whole batches each.
    one_by_one = list(islice(batches(data, config, batches_a_gather=1), 10))
    for batches_a_gather in (2, 64):
        at_once = list(islice(batches(data, config, batches_a_gather), 10))
        for (pixels, labels), (others, other_labels) in zip(one_by_one, at_once, strict=True):
            assert torch.equal(pixels, others)
            assert torch.equal(labels, other_labels)
    assert all(pixels.shape == (BATCH_SIZE, 3, 32, 32) for pixels, _ in one_by_one)
    assert not torch.equal(one_by_one[0][0], one_by_one[5][0])


def test_fused_batches_equal_those_of_each_run(data: TrainingSet) -> None:
    configs = [config_of(MODEL, "fp32", seed) for seed in (3, 5)]
    separate = [batches(data, config) for config in configs]
    for pixels, labels in islice(fused_batches(data, configs), 3):
        for run, source in enumerate(separate):
            own_pixels, own_labels = next(source)
            assert torch.equal(pixels[:, 3 * run : 3 * run + 3], own_pixels)
            assert torch.equal(labels[run], own_labels)


def test_fewer_images_than_one_batch_are_refused() -> None:
    config = config_of(MODEL, "fp32")
    data = TrainingSet.on(CPU, noise_images(100, config), config)
    with pytest.raises(ValueError, match="100 images are less than a batch of 128"):
        next(batches(data, config))


# Fused runs


@pytest.mark.parametrize("depth", [8, 20])
def test_a_fused_network_computes_what_its_networks_compute(depth: int) -> None:
    assert largest_difference({"name": "zerosnet", "depth": depth}) < 1e-9


def test_the_fusion_check_detects_a_wrong_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrongly(networks: list[nn.Module]) -> nn.Module:
        fused = fuse(networks)
        with torch.no_grad():
            next(fused.parameters())[-1] += 1e-6
        return fused

    monkeypatch.setattr("gpu.fused_check.fuse", wrongly)
    assert largest_difference(MODEL) > 1e-9


def test_fused_runs_train_like_separate_runs(data: TrainingSet) -> None:
    configs = [config_of(MODEL, "fp32", seed) for seed in range(3)]
    fused = fused_run(configs, data)
    separate = [single_run(config, data, numbers_on_device=True) for config in configs]
    assert fused.step() == 3 * BATCH_SIZE
    for run in separate:
        run.step()
    losses, correct = fused.sums()
    for place, run in enumerate(separate):
        [loss], [right] = run.sums()
        assert losses[place] == pytest.approx(loss, rel=1e-4)
        assert abs(correct[place] - right) <= 1
        ours = fused.network.get_submodule("stem").weight.chunk(3)[place]
        torch.testing.assert_close(
            ours, run.network.get_submodule("stem").weight, rtol=1e-3, atol=1e-4
        )


def test_fused_states_stay_channels_last(data: TrainingSet) -> None:
    run = fused_run([config_of(MODEL, "bf16", seed) for seed in range(2)], data)
    seen: list[bool] = []
    for block in run.network.get_submodule("blocks").children():
        block.register_forward_hook(
            lambda module, given, states: seen.append(
                states[0].is_contiguous(memory_format=torch.channels_last)
            )
        )
    run.step()
    assert seen == [True] * 3


def test_networks_of_different_structure_are_not_fused() -> None:
    models = [{**MODEL, "depth": depth} for depth in (8, 14)]
    networks = [build_network(config_of(model, "fp32"), "cpu") for model in models]
    with pytest.raises(ValueError, match="different structure"):
        fuse(networks)


def test_learned_coefficients_are_not_fused() -> None:
    config = config_of(MODEL, "fp32", scheme={"lambda": 1, "trainable": True})
    with pytest.raises(ValueError, match="LearnedLambda, cannot be fused"):
        fuse([build_network(config, "cpu")] * 2)


def test_coefficients_on_the_device_are_bit_identical_in_fp32() -> None:
    config = config_of({**MODEL, "depth": 14}, "fp32")
    networks = [build_network(config, "cpu") for _ in range(2)]
    assert with_coefficient_tensors(networks[1]) is networks[1]
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    first, second = (network(images) for network in networks)
    assert torch.equal(first, second)
    changed = [module for module in networks[1].modules() if hasattr(module, "values")]
    assert len(changed) == 4  # six blocks, two of which are Euler steps
    changed[0].values.mul_(1.5)
    assert not torch.equal(networks[1](images), first)


# Packs


@pytest.mark.slow
def test_interleaved_runs_are_bit_identical_to_runs_alone(data: TrainingSet) -> None:
    runs = [run_of(data, seed) for seed in range(3)]
    alone = [digest_after(run, 2) for run in runs]
    assert len(set(alone)) == 3
    assert digests_together(runs, 2) == alone
    assert digests_with_a_failing_run(runs, 2) == [alone[0], alone[2]]


def test_a_failing_run_is_left_out_from_then_on() -> None:
    class Fails:
        def step(self) -> int:
            raise ValueError("a bad step")

    class Goes:
        def step(self) -> int:
            return 7

    pack = RoundRobin([Goes(), Fails(), Goes()])
    assert [pack.step(), pack.step()] == [14, 14]
    assert list(pack.failures) == [1]
    with pytest.raises(ValueError, match="a bad step"):
        pack.raise_failures()


def test_an_unexpected_failure_next_to_the_injected_one_is_an_error() -> None:
    class Broken:
        def restart(self) -> None:
            pass

        def step(self) -> int:
            raise ValueError("a bad step")

    runs: list[Any] = [Broken(), Broken()]
    with pytest.raises(RuntimeError, match=r"runs \[0, 1\] failed"):
        digests_with_a_failing_run(runs, 2)


@pytest.mark.slow
def test_runs_in_subprocesses_are_bit_identical_and_report_failures(data: TrainingSet) -> None:
    pack = ProcessPack((2,), model=MODEL, images=IMAGES, device="cpu")
    try:
        pack.grow(2)
        alone = pack.digests_alone("fp32", 2, 2)
        assert alone == [digest_after(run_of(data, seed), 2) for seed in range(2)]
        assert pack.digests("fp32", 2, 2) == alone
        assert 0 < pack.images_per_second("bf16", 2, 0.1) < 1e6
        with pytest.raises(ProcessFailedError, match="KeyError: 'fp64'"):
            pack.digests("fp64", 2, 2)
    finally:
        pack.close()


def test_the_rate_of_processes_spans_from_first_start_to_last_end() -> None:
    intervals = [Interval(100, 1.0, 3.0), Interval(200, 2.0, 5.0)]
    assert images_per_second_together(intervals) == 300 / 4


# Lanes that need a GPU, on something that stands in for one


class StandInGraph:
    """Notes the steps that are captured, on which buffers, and does them when it is replayed."""

    capturing: StandInGraph | None = None

    def __init__(self) -> None:
        self.steps: list[tuple[Any, ...]] = []
        self.was_reset = False

    def replay(self) -> None:
        assert self.steps
        assert not self.was_reset
        for step in self.steps:
            TRAIN(*step)

    def reset(self) -> None:
        self.was_reset = True


TRAIN = Run._train


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[StandInGraph]:
    """Graphs can be captured on the CPU; all that are."""
    graphs: list[StandInGraph] = []

    class Stream:
        def synchronize(self) -> None:
            pass

    @contextmanager
    def capture(graph: StandInGraph, stream: Stream) -> Iterator[None]:
        monkeypatch.setattr(StandInGraph, "capturing", graph)
        graphs.append(graph)
        yield
        monkeypatch.setattr(StandInGraph, "capturing", None)

    def train(run: Run, pixels: torch.Tensor, labels: torch.Tensor) -> None:
        if StandInGraph.capturing is not None:
            assert all(parameter.grad is None for parameter in run.network.parameters())
            StandInGraph.capturing.steps.append((run, pixels, labels))
        else:
            TRAIN(run, pixels, labels)

    # What is warmed up is a GPU.
    rate = Bench.rate
    monkeypatch.setattr(Bench, "rate", lambda bench, step: rate(bench, step, warm_up=0))
    monkeypatch.setattr(Run, "_train", train)
    monkeypatch.setattr("gpu.runs._new_stream", lambda device: Stream())
    monkeypatch.setattr("torch.cuda.stream", lambda stream: nullcontext())
    monkeypatch.setattr("torch.cuda.CUDAGraph", StandInGraph)
    monkeypatch.setattr("torch.cuda.graph", capture)
    return graphs


def bench_of(*packs: int) -> Bench:
    return Bench(
        device=CPU, model=MODEL, images=IMAGES, seconds=0.02, packs=packs, workers=1, check_steps=2
    )


@pytest.mark.slow
def test_a_cuda_graph_run_is_bit_identical_to_one_without(
    data: TrainingSet, stand_in: list[StandInGraph]
) -> None:
    config = config_of(MODEL, "fp32")
    run = single_run(config, data, graph=True)
    assert [len(graph.steps) for graph in stand_in] == [1]
    # Three steps are an epoch of two batches and one more: all go through the same buffers.
    assert digest_after(run, 3) == digest_after(single_run(config, data), 3)
    run.close()
    assert stand_in[0].was_reset


@pytest.mark.slow
def test_the_graph_lanes_report_rates_and_checks(stand_in: list[StandInGraph]) -> None:
    for lane, name in ((lanes.graph, "graph"), (lanes.graph_constants, "graph-constants")):
        rows = {row.name: row for row in lane(bench_of(2), True)}
        assert list(rows) == [f"{name} fp32", f"{name} bf16"]
        for row in rows.values():
            assert row.images_per_second > 0
            assert all(row.checks.values())
            assert {"finite", "equals_without_graph"} <= set(row.checks)
        said = rows[f"{name} fp32"].checks | rows[f"{name} fp32"].facts
        assert set(said) == {"finite", "equals_without_graph", "equals_eager"}
    assert all(graph.was_reset for graph in stand_in)


@pytest.mark.slow
def test_a_graph_with_different_bits_fails_its_check(
    stand_in: list[StandInGraph], monkeypatch: pytest.MonkeyPatch
) -> None:
    def replay(graph: StandInGraph) -> None:
        [(run, pixels, labels)] = graph.steps
        TRAIN(run, 255 - pixels, labels)

    monkeypatch.setattr(StandInGraph, "replay", replay)
    row = next(lanes.graph_constants(bench_of(2), True))
    assert row.checks == {"finite": True, "equals_without_graph": False, "equals_eager": False}
    row = next(lanes.streams(bench_of(2), False))
    assert row.checks == {"finite": True}


@pytest.mark.slow
def test_the_streams_lane_reports_rates_and_checks(stand_in: list[StandInGraph]) -> None:
    rows = list(lanes.streams(bench_of(2, 3), True))
    assert [row.name for row in rows] == [
        f"streams {size} {precision}" for precision in ("fp32", "bf16") for size in (2, 3)
    ]
    for row, size in zip(rows, (2, 3, 2, 3), strict=True):
        assert row.checks == {
            "finite": True,
            "equals_alone": True,
            "neighbours_of_a_failure_equal_alone": True,
        }
        assert row.facts == {"streams": size}
    # A larger pack is a smaller one and more: three runs a precision, not five.
    assert len(stand_in) == 6
    assert all(graph.was_reset for graph in stand_in)


@pytest.mark.slow
def test_the_process_lanes_start_the_requested_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []

    class Pack:
        def __init__(self, sizes: tuple[int, ...], **given: Any) -> None:
            said.append((sizes, given["environment"]))

        def grow(self, count: int) -> None:
            said.append(count)

        def digests_alone(self, precision: str, count: int, steps: int) -> list[str]:
            return [precision] * count

        def digests(self, precision: str, count: int, steps: int) -> list[str]:
            return ["fp32"] * count

        def images_per_second(self, precision: str, count: int, seconds: float) -> float:
            return 100.0 * count

        def close(self) -> None:
            said.append("closed")

    monkeypatch.setattr("gpu.lanes.ProcessPack", Pack)
    rows = list(lanes.processes(bench_of(2, 4), True))
    assert [(row.name, row.images_per_second, row.checks) for row in rows] == [
        ("processes 2 fp32", 200, {"equals_alone": True}),
        ("processes 2 bf16", 200, {"equals_alone": False}),
        ("processes 4 fp32", 400, {"equals_alone": True}),
        ("processes 4 bf16", 400, {"equals_alone": False}),
    ]
    assert said == [((2, 4), {}), 2, 4, "closed"]
    said.clear()
    control_of_mps(tmp_path, monkeypatch)
    assert next(lanes.processes_mps(bench_of(2), False)).name == "processes-mps 2 fp32"
    assert set(said[0][1]) == {"CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"}
    assert said[-1] == "closed"


# Time, memory, and the report


def test_a_measurement_lasts_the_requested_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, order = [0.0], []

    def step() -> int:
        order.append("step")
        clock[0] += 0.25
        return 10

    monkeypatch.setattr("gpu.timing.time.perf_counter", lambda: clock[0])
    interval = measure(
        step, 2, lambda: order.append("wait"), warm_up=2, begin=lambda: order.append("begin")
    )
    assert interval == Interval(images=80, started=0.5, finished=2.5)
    assert interval.images_per_second == 40
    assert order[:6] == ["step", "step", "wait", "begin", "step", "wait"]
    assert order[6:] == ["step"] * 7 + ["wait"]


def test_the_bytes_of_a_step_match_a_hand_count() -> None:
    config = config_of({"name": "zerosnet", "depth": 8}, "fp32")
    # One block of each width: 16 at 32 pixels, 32 at 16, 64 at 8; an Euler step each but the last.
    wide, middle, small = 16 * 32**2, 32 * 16**2, 64 * 8**2
    stem = 2 * wide
    first = (2 * wide + 3 * wide) + (3 * wide + 4 * wide + 4 * wide)
    second = (wide + 2 * middle + 2 * middle) + (3 * middle + 2 * middle + 2 * wide)
    second += (2 * wide + middle + wide) + 2 * (wide // 4 + middle) + 2 * (middle + wide // 2)
    third = (middle + 2 * small + 4 * small) + (3 * small + 2 * small + 2 * middle)
    third += 2 * middle + 3 * small + middle
    third += 3 * (middle // 4 + small) + 3 * (small + middle // 2)
    elements = 10 * (stem + first + second + third + 4 * small)
    rest = 10 * 2 * 3 * 32**2 + 32 * config.parameters
    assert bytes_of_a_step(config, "fp32", images=10) == 4 * elements + rest
    assert bytes_of_a_step(config, "bf16", images=10) == 2 * elements + rest


def test_throughput_reports_compare_rows_within_a_round() -> None:
    report = Report({"depth": 32})
    for plain, packed, equal in ((100.0, 300.0, True), (200.0, 200.0, False), (50.0, 200.0, True)):
        report.begin_round()
        report.add(Row("baseline", plain, None))
        report.add(Row("packed", packed, 2**30, {"equals_alone": equal}))
    report.errors["fused"] = "Traceback ...\nRuntimeError: no engine"
    report.skipped["processes-mps"] = "not installed"
    content = report.to_json()
    assert content["depth"] == 32
    assert content["lanes"]["packed"] == {
        "images_per_second": {"median": 200.0, "min": 200.0, "max": 300.0},
        "rounds": 3,
        "ratio_to_baseline": 3.0,  # of 3, 1 and 4
        "runs_per_hour": 0.09,
        "gpu_memory_bytes": 2**30,
        "checks": {"equals_alone": False},
        "facts": {},
    }
    assert content["failed_checks"] == ["packed: equals_alone"]
    table = report.table().splitlines()
    assert table[0].split() == [
        "lane",
        "images/s",
        "min",
        "max",
        "x",
        "baseline",
        "runs/h",
        "GiB",
        "checks",
    ]
    assert table[2].split() == ["packed", "200", "200", "300", "3.00", "0.09", "1.00", "FAILED"]
    assert table[3:] == [
        "skipped processes-mps: not installed",
        "FAILED packed: equals_alone",
        "ERROR fused: RuntimeError: no engine",
    ]


def control_of_mps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that is called like the one that controls the service; what it was told."""
    log = tmp_path / "log"
    control = tmp_path / mps.CONTROL
    control.write_text(f'#!/bin/sh\necho "$CUDA_MPS_PIPE_DIRECTORY $* $(cat)" >> {log}\n')
    control.chmod(control.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return log


def test_the_mps_daemon_is_started_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = control_of_mps(tmp_path, monkeypatch)
    with mps_daemon() as variables:
        pipes = variables["CUDA_MPS_PIPE_DIRECTORY"]
        assert Path(pipes).is_dir()
        assert Path(variables["CUDA_MPS_LOG_DIRECTORY"]).is_dir()
        assert log.read_text().split() == [pipes, "-d"]
    assert log.read_text().split() == [pipes, "-d", pipes, "quit"]
    assert not Path(pipes).exists()


def test_without_mps_the_reason_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MpsUnavailableError, match="is not installed"), mps_daemon():
        pass


# The script


def script(*options: str, without: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run it on one core, as if the packages `without` were not installed."""
    blocked = "".join(f"sys.modules[{name!r}] = None\n" for name in without)
    code = (
        f"import os, runpy, sys\n{blocked}"
        # Threads that await each other are slow on busy cores.
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        f"sys.argv = [{str(SCRIPT)!r}, *{list(options)!r}]\n"
        f"sys.path[0] = {str(SCRIPT.parent)!r}\n"
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')\n"
    )
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, timeout=280, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(SCRIPT.parent)])},
    )  # fmt: skip


@pytest.mark.slow
def test_the_throughput_script_runs_on_the_cpu(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    done = script(
        "--device", "cpu", "--depth", "8", "--width", "4", "--images", "256",
        "--seconds", "0.05", "--rounds", "1", "--pack", "2", "--check-steps", "2",
        "--out", str(out), "--mps",
        without=("ray", "sqlalchemy", "sklearn", "pandas", "fsspec", "rich", "sweeper", "results"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(out.read_text())
    assert set(report) == {
        "machine", "network", "batch_size", "images", "rounds", "seconds", "copy_bytes_per_second",
        "byte_bound", "lanes", "failed_checks", "skipped", "errors",
    }  # fmt: skip
    assert set(report["lanes"]) == {
        "baseline", "eager fp32", "eager bf16", "batched fp32", "batched bf16",
        "fused 2 fp32", "fused 2 bf16",
    }  # fmt: skip
    for lane in report["lanes"].values():
        assert set(lane) == {
            "images_per_second", "rounds", "ratio_to_baseline", "runs_per_hour",
            "gpu_memory_bytes", "checks", "facts",
        }  # fmt: skip
        rate = lane["images_per_second"]
        assert 0 < rate["min"] <= rate["median"] <= rate["max"]
        assert lane["ratio_to_baseline"] > 0
    assert report["lanes"]["batched fp32"]["checks"] == {"finite": True, "equals_eager": True}
    assert report["lanes"]["fused 2 fp32"]["checks"] == {
        "finite": True,
        "equals_separate_in_float64": True,
    }
    assert report["network"]["parameters"] == config_of(MODEL, "fp32").parameters
    assert report["byte_bound"]["bf16"]["runs_per_hour"] > 0
    assert set(report["skipped"]) == {
        "graph", "graph-constants", "streams", "processes", "processes-mps",
    }  # fmt: skip
    assert report["failed_checks"] == []
    assert report["errors"] == {}
    lines = done.stdout.splitlines()
    assert lines[0].startswith("lane")
    assert "skipped graph: needs CUDA" in lines


def said(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What the script says of options that it refuses."""
    monkeypatch.setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32")
    monkeypatch.setattr("sys.argv", ["gpu_throughput.py", *options])
    try:
        status: Any = gpu_throughput.main()
    except SystemExit as error:
        status = error.code
    assert status == 2
    return capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_the_throughput_script_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there is no CUDA device here" in said([], monkeypatch, capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--pack 1,2", "packs are of 2 to 32 runs"),
        ("--pack 64", "packs are of 2 to 32 runs"),
        ("--device cpu --lanes baseline,grahp", "no lanes ['grahp']; there are ['baseline',"),
    ],
)
def test_the_throughput_script_refuses_bad_options(
    options: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert message in said(options.split(), monkeypatch, capsys)
