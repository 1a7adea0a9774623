"""What is told at the end of a sweep."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from results.queries.queries import Queries
from results.records import STATES, SweepChange
from sweeper.errors import ResourceError
from sweeper.home import Home
from sweeper.scheduling.execution import Execution, _summarize, execute
from sweeper.scheduling.progress import Progress
from sweeper.scheduling.signals import StopRequest
from sweeper.scheduling.summary import Summary
from sweeper.spec.spec import spec_from_text

SPEC = spec_from_text(
    "name: s\nmodel: zerosnet\ndataset: digits\ndepth: 8\ngrid: {seed: [0, 1, 2]}\n", "s.yaml"
)


def told(removed: int, left_out: list[str], **counts: int) -> list[str]:
    change = SweepChange(
        added=3, already_known=0, removed=removed, requeued=0, spec_version=1, spec_changed=True
    )
    summary = Summary(change, trained=2, unmeasured=removed, left_out=left_out)
    sentences: list[str] = []
    every = dict.fromkeys(STATES, 0) | counts
    _summarize(SPEC, summary, every, 0, " --home lab", sentences.append)
    return sentences


def test_one_is_counted_as_one_and_every_command_finds_the_home() -> None:
    assert told(1, ["12ab", "34cd"], done=2, failed=1) == [
        "s: 2 of 3 runs done (2 trained now)",
        "1 finished run could not be evaluated; the lines above say why",
        "2 runs did not keep all of job.files: `sweep files 12ab --home lab` says why",
        "1 run left the sweep; its results stay",
        "1 run failed: `sweep status s --home lab` says why; `sweep retry s --home lab` queues it"
        " again",
        "ask it: sweep report s --group-by zero_stable --home lab",
    ]
    assert "2 runs left the sweep; their results stay" in told(2, [], done=2)


def run_inline(home: Home, text: str) -> None:
    where = Execution("inline", None, None, False, 0, "tests")
    spec = spec_from_text(text, "s.yaml")
    execute(spec, home, where, lambda sentence: None, Progress(io.StringIO()), StopRequest(0))


TWO_PROCESSES = """
name: s
model: {name: zerosnet, width: 2}
dataset: {name: digits, subset: 32}
depth: 8
training: {epochs: 1, batch_size: 8, data_parallel: 2}
"""


def test_more_processes_than_an_executor_can_have_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    home = Home.at(tmp_path / "home")
    with pytest.raises(
        ResourceError,
        match=r"^--executor inline trains in one process, and a run has training.data_parallel 2:",
    ):
        run_inline(home, TWO_PROCESSES)
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_that_was_there_keeps_its_spec_if_a_change_of_it_is_refused(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    run_inline(home, TWO_PROCESSES.replace(", data_parallel: 2", ""))
    with pytest.raises(ResourceError, match=r"--executor inline trains in one process"):
        run_inline(home, TWO_PROCESSES + "grid: {training.data_parallel: [1, 2]}\n")
    with Queries.open(home.database) as queries:
        assert [row["version"] for row in queries.spec_rows(["s"])] == [1]
