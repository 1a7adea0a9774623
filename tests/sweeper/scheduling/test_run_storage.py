"""What of a run's folder is a result, and what is removed once that is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sweeper.scheduling.run_storage import RunStorage
from trainers.config.evaluations import parse_evaluation
from trainers.errors import ResultError
from trainers.evaluation.measure import Measurement
from trainers.result_file import store_result
from trainers.storage import open_folder
from trainers.training.measuring import evaluation_result

RUN = "0" * 16


def test_files_stay_and_what_a_killed_worker_left_goes(tmp_path: Path) -> None:
    kept = ["file-" + "a" * 64, "log-0.txt", "result.json"]
    left = ["checkpoint-1.pt", ".checkpoint-2.pt.x.tmp", "checkpoint-file-" + "b" * 64]
    for attempt in ("1", "2"):
        folder = tmp_path / RUN / attempt
        (folder / "files" / "plots").mkdir(parents=True)
        (folder / "files" / "plots" / "new\nline").touch()
        for name in (*kept, *left):
            (folder / name).touch()
    RunStorage(str(tmp_path), 0.0, lambda sentence: None).tidy(RUN, 2)
    found = {
        attempt: sorted(p.name for p in (tmp_path / RUN / attempt).iterdir()) for attempt in "12"
    }
    assert found == {"1": ["log-0.txt"], "2": kept}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"evaluation_id": "1" * 16}, "is not what its config says"),
        ({"config": {"noise": "gaussian", "std": 0.3}}, "is not what its config says"),
        ({"name": "test_accuracy"}, "has the name 'test_accuracy', and its config says"),
        ({"level": 7.0}, "has the level 7.0, and its config says"),
    ],
)
def test_a_result_with_an_evaluation_that_is_another_one_is_none(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    evaluation = parse_evaluation({"noise": "gaussian", "std": 0.02})
    measured: Any = evaluation_result(evaluation, Measurement(80.0, 0.5))
    storage = RunStorage(str(tmp_path), 0.0, lambda sentence: None)
    folder = open_folder(tmp_path / RUN / "1")
    store_result(folder, {"run_id": RUN, "attempt": 1, "evaluations": [measured]})
    assert storage.result(RUN, 1) is not None
    store_result(folder, {"run_id": RUN, "attempt": 1, "evaluations": [measured | change]})
    with pytest.raises(ResultError, match=said):
        storage.result(RUN, 1)
