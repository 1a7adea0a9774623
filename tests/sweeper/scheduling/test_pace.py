"""How much work a slot gets at once."""

from __future__ import annotations

import pytest

from sweeper.scheduling.backlog import BUNDLE_SECONDS, Pace


def test_what_nobody_has_measured_goes_alone() -> None:
    assert Pace().bundle_seconds == 0.0


def test_the_slowest_of_the_latest_decides() -> None:
    pace = Pace()
    pace.note(estimated=10.0, seconds=0.1)
    assert pace.bundle_seconds == pytest.approx(100 * BUNDLE_SECONDS)
    pace.note(estimated=10.0, seconds=1.0)
    pace.note(estimated=10.0, seconds=0.1)
    assert pace.bundle_seconds == pytest.approx(10 * BUNDLE_SECONDS)
    for _ in range(20):
        pace.note(estimated=10.0, seconds=0.1)
    assert pace.bundle_seconds == pytest.approx(100 * BUNDLE_SECONDS)


@pytest.mark.parametrize(("estimated", "seconds"), [(0.0, 1.0), (1.0, 0.0)])
def test_nothing_is_divided_by_zero(estimated: float, seconds: float) -> None:
    pace = Pace()
    pace.note(estimated, seconds)
    assert pace.bundle_seconds >= 0
