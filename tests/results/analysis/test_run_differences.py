"""What tells two runs apart, of whatever an attempt may say."""

from __future__ import annotations

import pytest

from results.analysis.run_differences import run_differences
from results.rendering.run_differences import differences_page


@pytest.mark.parametrize(
    "said",
    [
        None,
        {"repositories": "none", "sources": [1], "accepted_code": 3, "packages": "all"},
        {"repositories": [None, {"commit": None}, {"commit": {"a": [1]}}], "sources": {"a": 1}},
        {"repositories": {"a": 1}, "host": "\x1b[2J", "packages": {"a": {"b": [[]]}}},
    ],
)
def test_what_an_archive_says_may_be_anything(said, make, store, queries):
    make.save(store, "s", make.runs(2))
    make.finish(store, make.run(1))
    make.finish(store, make.run(2), test_accuracy=12.5)
    ours, theirs = (queries.run_detail(make.run(number).run_id) for number in (1, 2))
    theirs["attempt_history"][-1]["provenance"] = said
    found = run_differences(ours, theirs)
    assert {"key": "test_accuracy", "run": ours["test_accuracy"], "other": 12.5} in found["results"]
    assert [row["key"] for row in found["config"]] == ["seed"]
    page = differences_page(found)
    assert "\x1b" not in page
    assert "12.5" in page


def test_of_a_run_that_never_ran_only_the_config_is_known(make, store, queries):
    make.save(store, "s", make.runs(2))
    found = run_differences(*(queries.run_detail(run.run_id) for run in make.runs(2)))
    assert [row["key"] for row in found.pop("config")] == ["seed"]
    assert not found["code"] + found["environment"] + found["results"]
