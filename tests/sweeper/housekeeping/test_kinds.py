"""What files in the folders of attempts are."""

from __future__ import annotations

import pytest

from sweeper.housekeeping.kinds import DONE, IN_NO_SWEEP, LOST, kind_of


@pytest.mark.parametrize(
    ("path", "kind", "goes"),
    [
        ("file-" + "a" * 64, "files", {LOST}),
        (".file-" + "a" * 64 + ".0.tmp", "files", {LOST}),
        ("files/checkpoint-1.pt", "files", {LOST}),
        ("checkpoint-file-" + "a" * 64, "checkpoints", {DONE, LOST, IN_NO_SWEEP}),
        ("result.json", "results", {LOST}),
        ("filename", "other", {LOST}),
    ],
)
def test_files_of_runs_go_with_what_they_belong_to(path, kind, goes):
    found = kind_of(path)
    assert (found.name, found.goes) == (kind, goes)
