"""What is removed of a run's folder once its result is stored."""

from __future__ import annotations

from pathlib import Path

from sweeper.scheduling.run_storage import RunStorage

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
