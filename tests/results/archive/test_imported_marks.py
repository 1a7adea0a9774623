"""What an archive brought is known as that, wherever it is asked for."""

from __future__ import annotations

import csv
import io
import json
from contextlib import closing
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

import archives
import databases
import results
from results.analysis.generalization_gap import gap_by_moduli
from results.analysis.group_tests import compare_groups
from results.analysis.pivot import pivot
from results.analysis.reports import report
from results.database.connect import connect
from results.database.integrity import find_corruption
from results.errors import UnknownSweepError
from results.html_report import html_page
from results.html_report.build import build_page
from results.queries.queries import Queries
from results.rendering.formats import render
from results.rendering.run_detail import run_page
from results.rendering.text_table import text_table
from results.store.store import Store

FIRST, SECOND = (f"{number:016x}" for number in (1, 2))


@pytest.fixture
def theirs(make, tmp_path):
    """An archive of another laboratory: a done run, one that failed there, and a queued one."""
    url = f"sqlite:///{tmp_path}/theirs.db"
    first = make.evaluation(1)
    with Store.open(url) as store, store.driving("http://127.0.0.1/runs"):
        make.save(store, "theirs", make.runs(3), [first])
        make.finish(store, make.run(1), evaluations=[make.measured(first, 50.0)])
        attempt = store.claim(SECOND, provenance={"host": "far"})
        store.release(SECOND, attempt, "lost", "gone", fault="worker_lost")
        attempt = store.claim(SECOND, provenance={"host": "far"})
        store.fail(SECOND, attempt, "ValueError: no", None, fault="trainer_error")
    archives.export_from(url, tmp_path / "their archive.db")
    return tmp_path / "their archive.db"


@pytest.fixture
def ours(store, url, make, theirs):
    """A database with a sweep of its own, and the archive's."""
    make.save(store, "ours", [make.run(4), make.run(5)], [make.evaluation(1)])
    make.finish(store, make.run(4))
    archives.import_into(url, theirs)
    return store


def marks(queries, name="theirs"):
    return {int(row["run_id"], 16): row["imported"] for row in queries.run_rows([name])}


def test_imported_runs_are_marked_until_they_are_claimed_here(ours, queries, make):
    assert marks(queries) == {1: True, 2: True, 3: True}
    assert marks(queries, "ours") == {4: False, 5: False}
    make.finish(ours, make.run(3))
    assert ours.retry(run_ids=[SECOND]) == 1
    make.finish(ours, make.run(2))
    assert marks(queries) == {1: True, 2: False, 3: False}
    assert [row["run_id"] for row in queries.run_rows(where=["imported=true"])] == [FIRST]


def test_every_view_of_the_database_marks_what_was_imported(ours, url, make):
    engine = databases.plain_engine(url)
    asked = {
        "runs_flat": "SELECT imported, imported_from FROM runs_flat WHERE state = 'done'",
        "evaluations_flat": "SELECT imported FROM evaluations_flat",
        "attempts_flat": "SELECT DISTINCT imported_from FROM attempts_flat",
    }
    with engine.connect() as connection:
        found = {view: set(connection.execute(text(query))) for view, query in asked.items()}
    assert {tuple(map(str, row)) for row in found["runs_flat"]} in (
        {("True", "their archive.db"), ("False", "None")},
        {("1", "their archive.db"), ("0", "None")},
    )
    assert [tuple(row) for row in found["evaluations_flat"]] == [(1,)]
    assert {tuple(row) for row in found["attempts_flat"]} == {("their archive.db",), (None,)}


def test_the_frames_mark_what_was_imported(ours, url):
    with results.open(url) as found:
        assert dict(zip(found.runs()["run_id"], found.runs()["imported"], strict=True)) == {
            f"{number:016x}": number < 4 for number in range(1, 6)
        }
        assert found.evaluations()["imported"].tolist() == [True]
        assert found.sweeps()[["name", "imported"]].to_numpy().tolist() == [
            ["ours", False],
            ["theirs", True],
        ]
        assert found.report("zero_stable")["imported"].tolist() == [1]


@pytest.fixture
def mixed(store, url, make, theirs):
    """Run 1 is of here, with one measurement of the archive; run 2 of a far laboratory."""
    make.save(store, "mixed", [make.run(1), unstable(make)], [make.evaluation(1)])
    make.finish(store, make.run(1))
    elsewhere = f"sqlite:///{theirs.parent}/far.db"
    with Store.open(elsewhere) as far, far.driving():
        make.save(far, "far", [unstable(make)])
        make.finish(far, unstable(make))
    archives.export_from(elsewhere, theirs.parent / "far archive.db")
    archives.import_into(url, theirs)
    archives.import_into(url, theirs.parent / "far archive.db")
    return store


def unstable(make):
    return replace(make.run(9), zero_stable=False, alpha=[2.0], root_moduli=[2.0])


MARKED = ("imported", "measured_elsewhere")


def read(rendered, form):
    """The records of a rendered table, with numbers as texts."""
    if form == "json":
        return [{key: str(value) for key, value in row.items()} for row in json.loads(rendered)]
    if form == "csv":
        return list(csv.DictReader(rendered.splitlines()))
    table = pq.read_table(io.BytesIO(rendered)).to_pylist()
    return [{key: str(value) for key, value in row.items()} for row in table]


def test_every_format_for_programs_counts_what_was_imported(mixed, queries):
    rows = queries.run_rows(["mixed"], config=True)
    by_stability = report(queries, ["mixed"], ["zero_stable"])
    everything = report(queries, ["mixed"], [])
    several = report(queries, [], ["sweep"])
    asked = {
        "report": (by_stability, [("1", "0"), ("0", "1")]),
        "in one": (everything, [("1", "1")]),
        "by sweep": (several, [("1", "0"), ("1", "1"), ("0", "1")]),
        "pivot": (pivot(report(queries, ["mixed"], ["depth", "zero_stable"]), ["depth"],
                        ["zero_stable"]), [("1", "0"), ("0", "1")]),
    }  # fmt: skip
    for form in ("json", "csv", "parquet"):
        for what, (data, expected) in asked.items():
            found = read(render(data, form), form)
            assert [tuple(row[mark] for mark in MARKED) for row in found] == expected, what
        assert (several.imported, several.measured_elsewhere) == (1, 1)
        gap = read(render(gap_by_moduli(rows), form), form)
        assert [(row["root_moduli"] == "[2.0]", row["imported"]) for row in gap] == [
            (True, "1"),
            (False, "0"),
        ]
        tested = read(render(compare_groups(rows, "zero_stable").rows(), form), form)
        assert {
            row["metric"]: [row[f"{mark}{group}"] for group in (1, 2) for mark in MARKED]
            for row in tested
        } == {"test_accuracy": ["1", "0", "0", "0"], "gaussian[0.1]": ["0", "0", "0", "1"]}
        if form == "json":  # in which each evaluation of a run has its own mark
            continue
        listed = read(render(queries.run_rows(["mixed"]), form), form)
        assert [tuple(row[mark].lower() for mark in MARKED) for row in listed] == [
            ("false", "true"),
            ("true", "false"),
        ]


def test_tables_for_people_have_marks_only_where_there_are_any(mixed, queries, make):
    def columns(data):
        return {column.header[-1] for column in text_table(data).columns} & set(MARKED)

    assert columns(report(queries, [], ["depth"])) == set(MARKED)
    assert columns(queries.run_rows(["mixed"])) == set(MARKED)
    assert columns(gap_by_moduli(queries.run_rows(["mixed"], config=True))) == {"imported"}
    mixed_rows = queries.run_rows(["mixed"], config=True)
    assert "Among the runs: 1 run imported, 1 run with imported measurements." in (
        compare_groups(mixed_rows, "zero_stable").notes
    )
    # What is not shown is not counted.
    assert "Among the runs: 1 run imported." in (
        compare_groups(mixed_rows, "zero_stable", ["test_accuracy"]).notes
    )
    make.save(mixed, "own", [make.run(5)])
    make.finish(mixed, make.run(5))
    own = queries.run_rows(["own"], config=True)
    for data in (report(queries, ["own"], ["depth"]), own, gap_by_moduli(own)):
        assert columns(data) == set()


def test_a_measurement_of_here_is_told_from_the_imported_run_that_it_is_of(
    store, url, make, theirs
):
    archives.import_into(url, theirs)
    make.save(store, "ours", make.runs(1), [make.evaluation(2)])
    measured = [make.measured(make.evaluation(2), 40.0)]
    assert store.add_evaluations(FIRST, measured)
    with results.open(url) as found:
        frame = found.evaluations().sort_values("accuracy")
    assert frame[["accuracy", "imported", "run_imported"]].to_numpy().tolist() == [
        [40.0, False, True],
        [50.0, True, True],
    ]
    with databases.plain_engine(url).connect() as connection:
        query = "SELECT accuracy, imported, run_imported FROM evaluations_flat ORDER BY accuracy"
        assert [tuple(row) for row in connection.execute(text(query))] == [(40, 0, 1), (50, 1, 1)]


def test_reports_and_pages_count_what_was_imported(ours, queries, url, make):
    found = report(queries, [], ["depth"])
    assert (found.runs, found.imported, found.groups[0]["imported"]) == (2, 1, 1)
    table = text_table(found)
    assert "imported" in [column.header[-1] for column in table.columns]
    assert "1 run imported" in table.notes[0]
    own = report(queries, ["ours"], ["depth"])
    assert (own.imported, own.measured_elsewhere) == (0, 0)
    assert "imported" not in [column.header[-1] for column in text_table(own).columns]
    page = html_page(build_page(queries, [], ["depth"], ((), ()), None, [], None, "sweep report"))
    assert page.count("their archive.db") == 2  # environments of their own
    assert "(imported) ValueError: no" in page
    assert "1 run imported" in page


def test_status_says_what_came_from_elsewhere_and_what_happened_here(ours, queries):
    (own,) = queries.status("ours")
    (other,) = queries.status("theirs")
    assert (own.imported, own.imported_from) == (0, None)
    assert (other.imported, other.imported_from) == (1, "their archive.db")
    assert [failure.imported for failure in other.failures] == [True]
    # Faults, rates and times of machines elsewhere say nothing about these here.
    assert other.faults == []
    assert (other.rate_per_hour, other.train_seconds, other.last_finished_at) == (None, 0.0, None)
    assert {sample.host for sample in queries.cost_samples()} == {"node-1"}
    assert sum(sample.runs for sample in queries.cost_samples()) == 1


def test_the_page_of_a_run_says_which_archive_brought_it(ours, queries):
    detail = queries.run_detail(FIRST)
    assert detail["imported"] is True
    assert [attempt["imported_from"] for attempt in detail["attempt_history"]] == [
        "their archive.db"
    ]
    said = run_page(detail)
    assert "imported             yes: it was not trained here" in said
    assert "imported from their archive.db" in said
    assert "50.00 (imported)" in said
    assert "imported" not in run_page(queries.run_detail(f"{4:016x}"))


def test_a_place_that_an_archive_names_is_not_among_those_of_a_run(ours, url, make):
    """It would be opened: http to addresses inside a network included."""
    pending = {run.run_id: run for run in ours.pending("theirs")}
    assert FIRST not in pending
    make.save(ours, "more", make.runs(1), [make.evaluation(2)])
    (done,) = ours.pending("more")
    assert (done.state, done.storages, done.faults) == ("done", (), {})
    ours.retry(run_ids=[SECOND])
    queued = next(run for run in ours.pending("theirs") if run.run_id == SECOND)
    assert (queued.storages, queued.faults) == ((), {})


def test_a_measurement_brought_to_a_run_of_here_is_marked_alone(store, url, queries, make, theirs):
    make.save(store, "ours", make.runs(1), [make.evaluation(1), make.evaluation(2)])
    make.finish(store, make.run(1), evaluations=[make.measured(make.evaluation(2), 40.0)])
    archives.import_into(url, theirs)
    (row,) = queries.run_rows(["ours"])
    assert row["imported"] is False
    assert [(e["accuracy"], e["imported"]) for e in row["evaluations"]] == [
        (50.0, True),
        (40.0, False),
    ]
    found = report(queries, ["ours"], [])
    assert (found.imported, found.measured_elsewhere) == (0, 1)
    assert "1 run with imported measurements" in text_table(found).notes[0]
    assert report(queries, ["ours"], [], ["test_accuracy"]).measured_elsewhere == 0


def test_an_imported_sweep_is_never_the_one_that_ran_here_last(store, url, make, theirs):
    archives.import_into(url, theirs)
    with pytest.raises(UnknownSweepError, match="no sweep has run here yet: theirs came with"):
        store.stored_spec()
    assert store.stored_spec("theirs").imported_from == "their archive.db"
    make.save(store, "ours", [make.run(4)])
    assert store.stored_spec().name == "ours"
    # A spec of that name given here makes it a sweep of here.
    make.save(store, "theirs", make.runs(2))
    assert store.stored_spec().name == "theirs"
    assert store.stored_spec("theirs").imported_from is None


def test_an_archive_has_the_marks_of_its_database_and_they_are_not_believed(
    ours, url, tmp_path, queries
):
    archives.export_from(url, tmp_path / "both.db", ["theirs", "ours"])
    with archives.viewing(f"sqlite:///{tmp_path}/both.db") as connection:
        assert connection.execute(text("SELECT file FROM imports")).scalars().all() == [
            "their archive.db"
        ]
        assert connection.execute(text("SELECT sum(imported) FROM runs")).scalar_one() == 3
    archives.export_from(url, tmp_path / "ours.db", ["ours"])
    with archives.viewing(f"sqlite:///{tmp_path}/ours.db") as connection:
        assert connection.execute(text("SELECT count(*) FROM imports")).scalar_one() == 0
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.db"
    archives.import_into(elsewhere, tmp_path / "both.db")
    with Queries.open(elsewhere) as there:
        assert all(row["imported"] for row in there.run_rows())
        origins = [a["imported_from"] for a in there.run_detail(FIRST)["attempt_history"]]
    assert origins == ["both.db"]


def test_importing_again_notes_nothing_new(ours, url, theirs):
    count = "SELECT count(*) FROM imports"
    engine = databases.plain_engine(url)
    with engine.connect() as connection:
        assert connection.execute(text(count)).scalar_one() == 1
    assert not archives.import_into(url, theirs).changed
    archives.change(theirs)  # with another content hash it is another archive
    archives.make_ordinary(theirs)
    assert not archives.import_into(url, theirs).changed
    with engine.connect() as connection:
        assert connection.execute(text(count)).scalar_one() == 1


def test_an_attempt_of_here_is_not_taken_for_one_that_made_a_result_elsewhere(
    store, url, make, tmp_path, queries
):
    """Who has our archive knows the start of our attempt, and may say that it made a result."""
    make.save(store, "ours", make.runs(1))
    attempt = store.claim(FIRST, provenance={"host": "node-1"})
    archives.export_from(url, tmp_path / "ours.db")
    store.release(FIRST, attempt, "lost", "gone")
    archives.change(
        tmp_path / "ours.db",
        "UPDATE runs SET state = 'done', diverged = 0, finished_at = 2e9, test_accuracy = 99.99",
        "UPDATE attempts SET state = 'done', finished_at = 2e9",
    )
    archives.make_ordinary(tmp_path / "ours.db")
    archives.import_into(url, tmp_path / "ours.db")
    history = queries.run_detail(FIRST)["attempt_history"]
    assert [(a["attempt"], a["state"], a["imported_from"]) for a in history] == [
        (1, "lost", None),
        (2, "done", "ours.db"),
    ]
    assert queries.run_rows()[0]["imported"] is True
    with closing(connect(url, "read")) as database:
        assert find_corruption(database) is None
