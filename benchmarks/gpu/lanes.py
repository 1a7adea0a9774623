"""The lanes: each opens what it measures, yields the rows of the report, and closes it again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch

from gpu.baseline import Baseline, torch_as_it_starts
from gpu.bench import Bench, Row
from gpu.fused_check import largest_difference
from gpu.images import PRECISIONS, config_of
from gpu.mps import mps_daemon
from gpu.pack import RoundRobin, digests_together, digests_with_a_failing_run
from gpu.processes import ProcessPack
from gpu.runs import EagerRun, Run, fused_run, single_run

Lane = Callable[[Bench, bool], Iterator[Row]]
"""Bench, and whether to check as well as to measure."""


def baseline(bench: Bench, check: bool) -> Iterator[Row]:
    before = bench.release()
    config, pictures = config_of(bench.model, "fp32"), bench.pictures
    with torch_as_it_starts():
        plain = Baseline(config, pictures, bench.device, bench.workers)
        try:
            rate = bench.rate(plain.step, warm_up=plain.warm_up)
            yield Row("baseline", rate, bench.used_since(before))
        finally:
            plain.close()


def eager(bench: Bench, check: bool) -> Iterator[Row]:
    for precision in PRECISIONS:
        before = bench.release()
        run = EagerRun(config_of(bench.model, precision), bench.data)
        rate = bench.rate(run.step)
        checks = {"finite": math.isfinite(run.loss)}
        yield Row(f"eager {precision}", rate, bench.used_since(before), checks)
        del run


def batched(bench: Bench, check: bool) -> Iterator[Row]:
    for precision in PRECISIONS:
        before = bench.release()
        run = single_run(config_of(bench.model, precision), bench.data)
        try:
            rate = bench.rate(run.step)
            checks = {"finite": run.is_finite()}
            used = bench.used_since(before)
            if check:
                checks["equals_eager"] = bench.digest(run) == bench.eager_digest(precision)
            yield Row(f"batched {precision}", rate, used, checks)
        finally:
            run.close()
        del run


def graph(bench: Bench, check: bool) -> Iterator[Row]:
    yield from _graphs(bench, check, "graph", numbers_on_device=True)


def graph_constants(bench: Bench, check: bool) -> Iterator[Row]:
    yield from _graphs(bench, check, "graph-constants", numbers_on_device=False)


def _graphs(bench: Bench, check: bool, name: str, *, numbers_on_device: bool) -> Iterator[Row]:
    for precision in PRECISIONS:
        before = bench.release()
        run = single_run(
            config_of(bench.model, precision),
            bench.data,
            numbers_on_device=numbers_on_device,
            graph=True,
        )
        try:
            rate = bench.rate(run.step)
            checks = {"finite": run.is_finite()}
            facts: dict[str, Any] = {}
            used = bench.used_since(before)
            if check:
                digest = bench.digest(run)
                checks["equals_without_graph"] = digest == _without_graph(bench, run)
                equal = digest == bench.eager_digest(precision)
                # Numbers on the device round otherwise, which is no fault.
                (facts if numbers_on_device else checks)["equals_eager"] = equal
            yield Row(f"{name} {precision}", rate, used, checks, facts)
        finally:
            run.close()
        del run


def streams(bench: Bench, check: bool) -> Iterator[Row]:
    for precision in PRECISIONS:
        before = bench.release()
        runs: list[Run] = []
        alone: list[str] = []
        try:
            for size in bench.packs:
                while len(runs) < size:
                    config = config_of(bench.model, precision, seed=len(runs))
                    run = single_run(config, bench.data, numbers_on_device=True, graph=True)
                    runs.append(run)
                    if check:
                        alone.append(bench.digest(run))
                pack = RoundRobin(runs)
                rate = bench.rate(pack.step)
                pack.raise_failures()
                used = bench.used_since(before)
                checks = {"finite": all(run.is_finite() for run in runs)}
                facts = {"streams": len({run.stream for run in runs})}
                if check:
                    checks |= _pack_checks(runs, alone, bench.check_steps)
                yield Row(f"streams {size} {precision}", rate, used, checks, facts)
        finally:
            for run in runs:
                run.close()
        del runs, run, pack


def _pack_checks(runs: Sequence[Run], alone: list[str], steps: int) -> dict[str, bool]:
    failing = len(runs) // 2
    others = [digest for place, digest in enumerate(alone) if place != failing]
    return {
        "equals_alone": digests_together(runs, steps) == alone,
        "neighbours_of_a_failure_equal_alone": digests_with_a_failing_run(runs, steps) == others,
    }


def processes(bench: Bench, check: bool) -> Iterator[Row]:
    yield from _processes(bench, check, "processes", {})


def processes_mps(bench: Bench, check: bool) -> Iterator[Row]:
    with mps_daemon() as environment:
        yield from _processes(bench, check, "processes-mps", environment)


def _processes(bench: Bench, check: bool, name: str, environment: dict[str, str]) -> Iterator[Row]:
    before = bench.release()
    pack = ProcessPack(
        bench.packs,
        model=bench.model,
        images=bench.images,
        device=bench.device.type,
        environment=environment,
    )
    with ExitStack() as stack:
        stack.callback(pack.close)
        for size in bench.packs:
            pack.grow(size)
            used = bench.used_since(before)
            for precision in PRECISIONS:
                checks = {}
                if check:
                    alone = pack.digests_alone(precision, size, bench.check_steps)
                    together = pack.digests(precision, size, bench.check_steps)
                    checks["equals_alone"] = alone == together
                rate = pack.images_per_second(precision, size, bench.seconds)
                yield Row(f"{name} {size} {precision}", rate, used, checks)


def fused(bench: Bench, check: bool) -> Iterator[Row]:
    yield from _fused(bench, check, "fused", torch.channels_last)


def fused_contiguous(bench: Bench, check: bool) -> Iterator[Row]:
    yield from _fused(bench, check, "fused-contiguous", torch.contiguous_format)


def fused_any(bench: Bench, check: bool) -> Iterator[Row]:
    with torch_as_it_starts():
        yield from _fused(bench, False, "fused-any", torch.channels_last)


def _fused(
    bench: Bench, check: bool, name: str, memory_format: torch.memory_format
) -> Iterator[Row]:
    difference = largest_difference(bench.model) if check else None
    for precision in PRECISIONS:
        for size in bench.packs:
            before = bench.release()
            run = fused_run(
                [config_of(bench.model, precision, seed) for seed in range(size)],
                bench.data,
                graph=bench.device.type == "cuda",
                memory_format=memory_format,
            )
            try:
                rate = bench.rate(run.step)
                checks = {"finite": run.is_finite()}
                facts: dict[str, Any] = {}
                used = bench.used_since(before)
                if difference is not None:
                    checks["equals_separate_in_float64"] = difference < 1e-9
                    facts["largest_difference_in_float64"] = difference
                if check and bench.device.type == "cuda":
                    digest = bench.digest(run)
                    checks["equals_without_graph"] = digest == _without_graph(bench, run)
                yield Row(f"{name} {size} {precision}", rate, used, checks, facts)
            finally:
                run.close()
            del run


def _without_graph(bench: Bench, run: Run) -> str:
    with run.without_graph():
        return bench.digest(run)


@dataclass(frozen=True)
class LaneFacts:
    """What the command line needs to know of a lane."""

    lane: Lane
    needs_cuda: bool
    by_default: bool = True


LANES = {
    "baseline": LaneFacts(baseline, needs_cuda=False),
    "eager": LaneFacts(eager, needs_cuda=False),
    "batched": LaneFacts(batched, needs_cuda=False),
    "graph": LaneFacts(graph, needs_cuda=True),
    "graph-constants": LaneFacts(graph_constants, needs_cuda=True),
    "streams": LaneFacts(streams, needs_cuda=True),
    "processes": LaneFacts(processes, needs_cuda=True),
    "processes-mps": LaneFacts(processes_mps, needs_cuda=True, by_default=False),
    "fused": LaneFacts(fused, needs_cuda=False),
    "fused-contiguous": LaneFacts(fused_contiguous, needs_cuda=False, by_default=False),
    "fused-any": LaneFacts(fused_any, needs_cuda=False, by_default=False),
}
