"""Ray in surroundings that are against it: an exit code, and what to do, whatever they are."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import surroundings_trainer
from command_line import PROGRAM, sweep
from killed_raylets import RayNodes, ray_nodes
from results.queries.queries import Queries
from waiting import wait_until

pytestmark = [pytest.mark.hostile, pytest.mark.ray, pytest.mark.timeout(280)]

ROOT = Path(__file__).parents[2]

SPEC = """
name: s
model: zerosnet
dataset: digits
depth: 8
trainer: {trainer}
training: {{epochs: {epochs}}}
grid: {{seed: [0, 1]}}
"""

IN_THE_WAY = "raise SystemExit('a foreign file was imported: ' + __file__)\n"

DRIVER = """
from sweeper.executors import ray_connection
ray_connection.CONNECT_SECONDS = 2
from sweeper.program import main
main()
"""
"""`sweep`, less patient."""


def write_spec(folder: Path, trainer: str = "fake_trainers:quick", epochs: int = 1) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "s.yaml").write_text(SPEC.format(trainer=trainer, epochs=epochs))
    return folder / "s.yaml"


def start(*arguments: object, program: tuple[str, ...] = (PROGRAM,), **more: Any) -> Any:
    return subprocess.Popen(
        [*program, *map(str, arguments)], stderr=subprocess.PIPE, text=True, **more
    )


def ended(process: Any, seconds: float, code: int) -> str:
    """What it said; its exit code and how long it takes are asserted."""
    began = time.monotonic()
    try:
        said = str(process.communicate(timeout=60)[1])
    finally:
        process.kill()
    assert time.monotonic() - began < seconds
    assert process.returncode == code, said
    assert "Traceback" not in said
    return said


def nothing_claimed(home: Path) -> None:
    with Queries.open(f"sqlite:///{home / 'sweep.db'}") as queries:
        (state,) = queries.status("s")
    assert state.counts["queued"] == 2
    assert not list(home.glob("runs/*/1"))


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address that takes connections and says nothing."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with ray_nodes(0) as started:
        yield started


@pytest.mark.parametrize("address", ["127.0.0.1:9", "no-such-host.invalid:6379", "nonsense"])
def test_a_head_that_is_not_there_is_said_at_once(address: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    run = start("run", write_spec(tmp_path), "--home", home, "--ray-address", address)
    said = ended(run, 30, 3)
    assert f"Ray cannot be reached at {address}: " in said
    assert "ray status" in said
    if address == "127.0.0.1:9":  # which Ray replaces where there is another interface
        shown = r"nothing answers at (127\.0\.0\.1:9|\S+:9, as which Ray reads 127\.0\.0\.1:9) \("
        assert re.search(shown, said)
    nothing_claimed(home)


def test_an_address_that_a_killed_cluster_left_is_said_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:9")
    arguments = ("run", write_spec(tmp_path), "--home", tmp_path / "home", "--ray-address", "auto")
    program = (sys.executable, "-P", "-c", f"import psutil; psutil.process_iter = list{DRIVER}")
    environment = {**os.environ, "RAY_TMPDIR": str(tmp_path)}
    said = ended(start(*arguments, program=program, env=environment), 30, 3)
    assert "Ray cannot be reached at auto: " in said
    assert f"{tmp_path}/ray/ray_current_cluster" in said
    assert "ray stop removes" in said


def test_a_head_that_does_not_answer_is_given_up(deaf: str, tmp_path: Path) -> None:
    arguments = ("run", write_spec(tmp_path), "--home", tmp_path / "home", "--ray-address", deaf)
    said = ended(start(*arguments, program=(sys.executable, "-P", "-c", DRIVER)), 40, 3)
    assert f"Ray cannot be reached at {deaf}: " in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_heard_while_a_head_does_not_answer(
    deaf: str, number: int, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    run = start("run", write_spec(tmp_path), "--home", home, "--ray-address", deaf)
    assert "starting ray" in run.stderr.readline()
    time.sleep(2)
    run.send_signal(number)
    assert "sweep resume s" in ended(run, 5, 130)
    nothing_claimed(home)


def test_a_trainer_that_workers_cannot_import_fails_no_run(nodes: RayNodes, tmp_path: Path) -> None:
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / "driver_only.py").write_text("def train(job):\n    pass\n")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(tmp_path / "driver")]),
    }
    spec, home = write_spec(tmp_path, "driver_only:train"), tmp_path / "home"
    run = start("run", spec, "--home", home, "--ray-address", nodes.address, env=environment)
    said = ended(run, 60, 3)
    assert "error: trainer 'driver_only:train' cannot be imported on" in said
    nothing_claimed(home)


def test_torch_that_cannot_be_loaded_fails_no_run(tmp_path: Path) -> None:
    broken = tmp_path / "lib" / "torch"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise OSError('libcudart.so.12: cannot open')\n")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(broken.parent), os.environ["PYTHONPATH"]]),
    }
    spec, home = write_spec(tmp_path, "trainers.train:train"), tmp_path / "home"
    run = start("run", spec, "--home", home, "--executor", "inline", env=environment)
    said = ended(run, 60, 3)
    assert "libcudart.so.12: cannot open" in said
    nothing_claimed(home)


def test_workers_have_our_code_the_specs_folder_last_and_no_password(
    tmp_path: Path, postgres_url: str
) -> None:
    """Whatever lies in the folder one stands in; Ray's own folder is the user's alone."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    for name in ("trainers", "results", "sweeper", "numpy"):
        (here / name).mkdir()
        (here / name / "__init__.py").write_text(IN_THE_WAY)
    for name in ("gzip.py", "timeit.py", "fake_trainers.py"):
        (here / name).write_text(IN_THE_WAY)
    spec = write_spec(there, "mine:notes_its_surroundings")
    shutil.copy(surroundings_trainer.__file__, there / "mine.py")
    temporary = Path("/tmp") / f"t{os.getpid()}"
    temporary.mkdir()
    environment = {
        **os.environ,
        # As `export PYTHONPATH=$PYTHONPATH:/lib` makes it where it was not set.
        "PYTHONPATH": os.pathsep.join(["", str(ROOT), os.environ["PYTHONPATH"]]),
        "PGPASSWORD": "the-secret",
        "SWEEP_DB": postgres_url,
        "RAY_TMPDIR": str(temporary),
    }
    try:
        run = start("run", spec, "--home", tmp_path / "home", "--slots", "1",
                    cwd=here, env=environment)  # fmt: skip
        modes = set()
        while run.poll() is None:
            modes |= {stat.S_IMODE(folder.stat().st_mode) for folder in temporary.glob("sweep-*")}
            time.sleep(0.2)
        said = ended(run, 60, 0)
        assert "2 trained now" in said
        assert modes == {0o700}
        assert list(temporary.iterdir()) == []
    finally:
        shutil.rmtree(temporary)
    noted = [json.loads(file.read_text()) for file in tmp_path.glob("home/runs/*/1/noted.json")]
    assert len(noted) == 2
    for worker in noted:
        for file in worker["modules"].values():
            assert not Path(file).is_relative_to(here)
        for name in ("results", "sweeper", "trainers"):
            assert Path(worker["modules"][name]).is_relative_to(ROOT)
        assert worker["path"][-2:] == [str(there), str(here)]
        for known in worker["environments"]:
            assert not {"PGPASSWORD", "SWEEP_DB"} & known.keys()
            assert "the-secret" not in known.values()
        assert not any("the-secret" in text for text in worker["arguments"])


def test_a_head_that_dies_in_mid_sweep_is_noticed_and_the_sweep_goes_on_elsewhere(
    nodes: RayNodes, tmp_path: Path
) -> None:
    """The last test of this cluster."""
    spec, home = write_spec(tmp_path, "fake_trainers:paced", epochs=100), tmp_path / "home"
    run = start("run", spec, "--home", home, "--ray-address", nodes.address)
    wait_until(lambda: any(home.glob("runs/*/1/checkpoint-3*")), "a run is under way", 60)
    nodes.kill_head()
    said = ended(run, 20, 3)
    assert "is gone (Connection refused); what was done is kept: start it again" in said
    resumed = sweep("resume", "s", "--home", str(home), "--executor", "inline")
    assert resumed.exit_code == 0, resumed.stderr
