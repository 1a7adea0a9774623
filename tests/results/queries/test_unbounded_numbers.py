"""Numbers that no bound was asked of: an older version, or another program, has stored them."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import text

from results.analysis.group_tests import compare_groups
from results.analysis.reports import report
from results.frames import Results
from results.html_report import html_page
from results.html_report.build import build_page
from results.rendering.run_detail import run_page
from results.run_columns import DETAIL_KEYS, NAMED_KEYS, RUN_COLUMNS
from results.schema.views import NAMES
from sweeper.planning.cost import CostModel
from sweeper.scheduling.progress import format_seconds

METRICS = [column.name for column in RUN_COLUMNS if column.numeric and column.key]


@pytest.fixture
def stored(store, make, plain):
    """Four done runs, half of which have numbers that no training gives."""
    config = make.run(1).config
    runs = [
        make.run(n, seed=seed, zero_stable=n % 2 == 0, config=config | {"seed": seed})
        for n, seed in ((1, 1), (2, 10**18), (3, 3), (4, 4))
    ]
    evaluation = make.evaluation(1)
    make.save(store, "s", runs, [evaluation])
    for run in runs[2:]:
        make.finish(store, run, evaluations=[make.measured(evaluation, 80.0)])
    done = text(
        "UPDATE runs SET state = 'done', diverged = :diverged, attempt = 1, finished_at = 1e300,"
        " created_at = -1e300, train_seconds = 1e308, images_per_second = 5e-324,"
        " train_loss = 1e308, test_loss = -1e308, generalization_gap = 1e308, beta = 1e308,"
        " max_root_modulus = 1e308, learned_coefficients = :learned, config = :config"
        " WHERE run_id = :run_id"
    )
    attempt = text(
        "INSERT INTO attempts (run_id, attempt, state, started_at, finished_at, provenance)"
        " VALUES (:run_id, 1, 'done', -1e300, 1e300, '{}')"
    )
    with plain.begin() as connection:
        for run in runs[:2]:
            changed = run.config | {"huge": 10**400, "large": 1e300}
            values = {
                "run_id": run.run_id,
                "diverged": False,
                "learned": json.dumps([[None, 1e308]]),
                "config": json.dumps(changed),
            }
            connection.execute(done, values)
            connection.execute(attempt, {"run_id": run.run_id})
        connection.execute(text("UPDATE sweeps SET created_at = 1e300, updated_at = -1e300"))
        connection.execute(text("UPDATE sweep_specs SET created_at = 1e300"))
    return [run.run_id for run in runs]


def test_status_and_plan_read_numbers_of_any_size(stored, queries):
    (found,) = queries.status("s")
    assert found.counts["done"] == 4
    # Those beyond the bounds stand for nothing.
    assert found.train_seconds == 5.0
    assert found.last_finished_at < 1e10
    assert found.rate_per_hour > 0
    costs = CostModel.from_samples(queries.cost_samples())
    assert all(sample.train_seconds < 1e10 for sample in queries.cost_samples())
    assert costs._timed == {}  # the configs of these tests are none of a trainer


def test_a_run_is_shown_with_numbers_of_any_size(stored, queries):
    detail = queries.run_detail(stored[0])
    assert detail["train_seconds"] == 1e308
    assert (detail["created_at"], detail["finished_at"]) == (None, None)
    assert detail["attempt_history"][0]["started_at"] is None
    page = run_page(detail)
    assert "train_seconds        1e+308\n" in page
    assert "learned_coefficients (-, 1e+308)\n" in page


def test_reports_of_numbers_of_any_size_leave_out_those_beyond_the_bounds(stored, queries):
    metrics = [*METRICS, "huge", "large", "training.optimizer.lr"]
    found = report(queries, ["s"], ["model"], metrics, []).groups
    assert [group["runs"] for group in found] == [4]
    assert (found[0]["train_seconds_mean"], found[0]["train_seconds_std"]) == (2.5, 0.0)
    assert (found[0]["huge_mean"], found[0]["large_max"]) == (None, None)
    assert queries.run_rows(where=["huge>1e300"])[0]["run_id"] == stored[0]
    rows = queries.run_rows(config=True)
    assert compare_groups(rows, "zero_stable", METRICS).rows()


def test_frames_and_the_page_read_numbers_of_any_size(stored, queries, url):
    with Results.open(url) as lab:
        frame = lab.runs("s")
        assert len(frame) == 4
        assert len(lab.sweeps()) == 1
    page = html_page(build_page(queries, ["s"], [], ([], []), "zero_stable", [], None, "sweep"))
    assert stored[0] in page
    assert {*NAMED_KEYS, *DETAIL_KEYS}


@pytest.mark.parametrize(
    ("seconds", "shown"), [(float("inf"), "forever"), (float("nan"), "forever"), (1e300, "forever")]
)
def test_a_time_that_never_ends_is_shown(seconds, shown):
    assert format_seconds(seconds) == shown


@pytest.mark.parametrize("view", NAMES)
def test_views_give_numbers_of_any_size_and_no_time_that_no_calendar_has(stored, plain, view):
    with plain.begin() as connection:
        rows = connection.execute(text(f"SELECT * FROM {view}")).mappings().all()
        of_time = [row["finished_at"] for row in rows if "finished_at" in row]
    assert of_time == [] or (len(of_time) == 4 and of_time.count(None) == 2)
