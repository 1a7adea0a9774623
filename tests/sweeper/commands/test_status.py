"""What `sweep status` says to people, and that it waits for what has not begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from results.records import STATES, SweepStatus
from results.store.store import Store
from saved_specs import save_spec
from sweeper.commands.status import _for_people
from sweeper.commands.watched_sweeps import _WatchedSweeps
from sweeper.home import Home
from sweeper.spec.spec import spec_from_text


def status(**more: Any) -> SweepStatus:
    counts = dict.fromkeys(STATES, 0) | more.pop("counts", {"done": 3})
    given: dict[str, Any] = {
        "sweep": "s", "runs": 3, "counts": counts, "failures": [], "faults": [], "drivers": [],
        "train_seconds": 0.00668245, "rate_per_hour": 85154.8, "seconds_left": 21.78,
        "last_finished_at": None,
    }  # fmt: skip
    return SweepStatus(**(given | more))


def test_times_and_rates_are_said_as_people_say_them() -> None:
    (row,) = _for_people([status()])
    assert row == {
        "sweep": "s", "runs": 3, "queued": 0, "running": 0, "done": 3, "failed": 0,
        "trained": "7 ms", "rate": "23.7 a second", "left": "21.8 s",
    }  # fmt: skip
    rows = _for_people(
        [
            status(counts={"cancelled": 1}, train_seconds=77.2, rate_per_hour=90.0),
            status(train_seconds=0.0, rate_per_hour=None, seconds_left=0.0, imported=2),
        ]
    )
    assert [(row["cancelled"], row["imported"]) for row in rows] == [(1, 0), (0, 2)]
    said = [(row["trained"], row["rate"], row["left"]) for row in rows]
    assert said == [("1:17", "1.5 a minute", "21.8 s"), (None, None, None)]


class _Stack:
    def enter_context(self, context: Any) -> Any:
        return context.__enter__()


def test_what_has_not_begun_is_waited_for(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home", options=" --home home")
    watched = _WatchedSweeps(home, "s", [], _Stack())
    seen = watched.look(40, 20)
    assert not seen.is_over
    assert "waiting for s to begin" in " ".join(seen.lines)
    assert "'sweep run SPEC --home home'" in " ".join(seen.lines)
    assert max(map(len, seen.lines)) <= 40 or str(tmp_path) in " ".join(seen.lines)
    spec = "name: {}\nmodel: zerosnet\ndataset: digits\ndepth: 8\n"
    with Store.open(home.database) as store:
        save_spec(store, spec_from_text(spec.format("other"), "s.yaml"))
        said = " ".join(watched.look(200, 20).lines)
        assert said == "waiting for s to begin: unknown sweep 's' (known: other)"
        save_spec(store, spec_from_text(spec.format("s"), "s.yaml"))
        with store.driving():
            assert "nothing is running" not in " ".join(watched.look(40, 20).lines)
        assert watched.look(40, 20).lines[-2:] == [
            "nothing is running; to go on:",
            "sweep resume s --home home",
        ]
