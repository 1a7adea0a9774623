"""The files that runs keep, as the database knows them: paths, sizes and digests."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from results.archive.reading import open_archive
from results.archive.writing import export
from results.errors import BadArchiveError, BadResultError
from results.queries.queries import Queries
from results.rendering.run_detail import run_page
from results.store.result_schema import check_result
from results.store.store import Store

RUN = f"{1:016x}"
A, B = "a" * 64, "b" * 64
KEPT = [
    {"path": "plots/a.png", "size": 2**40, "sha256": A},
    {"path": "table.csv", "size": 0, "sha256": B},
]


@pytest.fixture
def done(store, make):
    make.save(store, "s", [make.run(1)])
    make.finish(store, make.run(1), files=KEPT[::-1])
    return store


def test_files_come_back_by_path(done, queries):
    assert queries.run_detail(RUN)["files"] == KEPT
    assert queries.file_rows(run_ids=[RUN, "f" * 16]) == [{"run_id": RUN, **file} for file in KEPT]
    assert queries.count_files(["s"]) == 2
    assert queries.count_files(where=["depth=1"]) == 0
    page = run_page(queries.run_detail(RUN)).splitlines()
    at = page.index("files (2, 1,099,511,627,776 bytes)")
    assert page[at + 1].split() == ["plots/a.png", "1,099,511,627,776", "bytes", A]


def test_of_very_many_files_the_first_are_shown(store, queries, make):
    make.save(store, "s", [make.run(1)])
    many = [{"path": f"{number:03}", "size": 1, "sha256": A} for number in range(100)]
    make.finish(store, make.run(1), files=many)
    page = run_page(queries.run_detail(RUN))
    assert "  60 more: --format json\n" in page
    assert "\n  039 " in page
    assert "\n  040 " not in page


def test_a_later_evaluation_loses_no_file(done, queries, make):
    done.add_evaluations(RUN, [make.measured(make.evaluation(), 10.0)])
    assert queries.run_detail(RUN)["files"] == KEPT


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ({}, "files is {}, where a list is expected"),
        ([None], r"files\[0\] is not a JSON object"),
        ([KEPT[0] | {"mode": 4755}], "'mode' is unknown"),
        ([{"path": "a", "size": 1}], "sha256 is missing"),
        ([KEPT[0] | {"path": "../../etc/passwd"}], r"files\[0\].path is '../../etc/passwd'"),
        ([KEPT[0] | {"path": "/etc/passwd"}], "does not stay in the folder"),
        ([KEPT[0] | {"path": "a\x1b[2J"}], "cannot be printed"),
        ([KEPT[0] | {"path": ""}], "path is empty"),
        ([KEPT[0] | {"path": 3}], "path is 3, where text is expected"),
        ([KEPT[0], KEPT[0]], "path is 'plots/a.png' a second time"),
        ([KEPT[0] | {"sha256": "../../../etc"}], "sha256 is '../../../etc', not 64 hex digits"),
        ([KEPT[0] | {"sha256": "A" * 64}], "not 64 hex digits"),
        ([KEPT[0] | {"size": -1}], "size is -1, where at least 0"),
        ([KEPT[0] | {"size": 1.5}], "size is 1.5, where a whole number"),
        ([KEPT[0] | {"size": 2**63}], "where at most"),
        ([KEPT[0]] * 10_001, "has 10,001 items, where at most 10,000 are kept"),
    ],
)
def test_what_no_worker_writes_is_refused_by_its_place(make, found, problem):
    with pytest.raises(BadResultError, match=problem):
        check_result(RUN, 1, make.result(RUN, files=found))


def exported(queries, path):
    with queries.view() as connection:
        export(connection, path)
    return path


def test_an_archive_has_the_files_of_its_runs(done, queries, tmp_path):
    archive = exported(queries, tmp_path / "archive.db")
    url = f"sqlite:///{tmp_path}/other.db"
    with Store.open(url) as other, Queries.open(url) as theirs:
        with open_archive(archive) as opened:
            assert other.merge(opened).counts["files"].inserted == 2
            assert not other.merge(opened).changed
        assert theirs.run_detail(RUN)["files"] == KEPT


@pytest.mark.parametrize("path", ["../up", "a\nb"])
def test_an_archive_with_a_path_that_leads_elsewhere_is_refused(
    done, queries, plain, tmp_path, path
):
    with plain.begin() as connection:
        connection.execute(text("UPDATE files SET path = :path WHERE size = 0"), {"path": path})
    archive = exported(queries, tmp_path / "archive.db")
    with pytest.raises(BadArchiveError, match="of a file: its "), open_archive(archive):
        pass
