"""How much work a slot gets at once."""

from __future__ import annotations

import pytest

from sweeper.scheduling.bundles import BUNDLE_SECONDS, BundleSizer


def test_runs_are_not_bundled_before_one_has_been_measured() -> None:
    assert BundleSizer().bundle_seconds == 0.0


def test_bundle_size_follows_the_slowest_recent_run() -> None:
    sizer = BundleSizer()
    sizer.note(estimated=10.0, seconds=0.1)
    assert sizer.bundle_seconds == pytest.approx(100 * BUNDLE_SECONDS)
    sizer.note(estimated=10.0, seconds=1.0)
    sizer.note(estimated=10.0, seconds=0.1)
    assert sizer.bundle_seconds == pytest.approx(10 * BUNDLE_SECONDS)
    for _ in range(20):
        sizer.note(estimated=10.0, seconds=0.1)
    assert sizer.bundle_seconds == pytest.approx(100 * BUNDLE_SECONDS)


@pytest.mark.parametrize(("estimated", "seconds"), [(0.0, 1.0), (1.0, 0.0)])
def test_bundle_size_allows_zero_estimates_and_durations(estimated: float, seconds: float) -> None:
    sizer = BundleSizer()
    sizer.note(estimated, seconds)
    assert sizer.bundle_seconds >= 0
