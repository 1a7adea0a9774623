from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.executors import ExecutorOptions, inline
from sweeper.executors.inline import InlineExecutor
from sweeper.executors.tasks import Finished, Task
from sweeper.spec.resources import Resources


@pytest.fixture
def tasks(tmp_path):
    return [
        Task(
            run_id=run_id,
            attempt=1,
            config={},
            evaluations=(),
            storage=str(tmp_path),
            data_dir=Path("data"),
            device="cpu",
            threads=1,
        )
        for run_id in ("first", "second")
    ]


def test_what_a_task_waits_for_is_told_while_it_waits(tasks, monkeypatch):
    told = []

    def wait_for_storage(task, heartbeat, logs):
        heartbeat.wait("the storage is away")
        assert told[-1] == (task.run_id, "the storage is away")
        return Finished(task, {})

    monkeypatch.setattr(inline, "execute", wait_for_storage)
    options = ExecutorOptions(Resources(), on_wait=lambda *said: told.append(said))
    with InlineExecutor.start(options) as executor:
        executor.submit(tasks)
        for task in tasks:
            assert executor.wait(0) == [Finished(task, {})]
    assert [run_id for run_id, _ in told] == ["first", "second"]
