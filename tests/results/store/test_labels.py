"""Tags and notes of sweeps and runs: given, taken away, asked for, exported and imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from results.analysis.reports import report
from results.archive.reading import open_archive
from results.archive.writing import export
from results.errors import BadArchiveError, BadLabelError, UnknownLabelledError
from results.queries.queries import Queries
from results.store.store import LONGEST_NOTE, Store


@pytest.fixture
def labelled(store, make):
    """Runs 1 to 4, all done but the last; "a" holds 1 to 3 and is tagged, "b" 3 and 4."""
    runs = make.runs(4)
    make.save(store, "a", runs[:3])
    make.save(store, "b", runs[2:])
    for run in runs[:3]:
        make.finish(store, run)
    store.tag("a", ["base"])
    store.tag(runs[1].run_id[:16], ["odd", "base"])
    store.tag(runs[3].run_id, ["odd"])
    return runs


def tags(queries, where=(), sweeps=()):
    return {int(row["run_id"], 16): row["tags"] for row in queries.run_rows(sweeps, where=where)}


def test_a_run_has_its_own_tags_and_those_of_its_sweeps(labelled, queries):
    every = {1: ["base"], 2: ["base", "odd"], 3: ["base"], 4: ["odd"]}
    assert tags(queries) == every
    # Whatever sweeps are asked for.
    assert tags(queries, sweeps=["b"]) == {3: ["base"], 4: ["odd"]}


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("tag=base", {1, 2, 3}),
        ("tag=odd", {2, 4}),
        ("tag!=odd", {1, 3}),
        ("tag=null", set()),
        ("tag!=null", {1, 2, 3, 4}),
        ("tag=none", set()),
    ],
)
def test_runs_are_found_by_tag(labelled, queries, where, found):
    assert tags(queries, [where]).keys() == found


def test_a_run_is_in_the_group_of_each_of_its_tags_and_counts_once(labelled, store, queries):
    found = report(queries, [], ["tag"])
    assert [(g["tag"], g["runs"], g["unfinished"]) for g in found.groups] == [
        ("base", 3, 0),
        ("odd", 1, 1),
    ]
    assert (found.runs, found.unfinished) == (3, 1)
    store.tag("a", ["base"], remove=True)
    assert [(g["tag"], g["runs"]) for g in report(queries, ["a"], ["tag"]).groups] == [
        ("", 2),
        ("base", 1),
        ("odd", 1),
    ]


def test_tags_are_given_once_and_taken_away(labelled, store, queries):
    assert store.tag("b", ["x", "x", "a:1"]) == ("b", ["a:1", "x"])
    assert store.tag("b", ["x"]) == ("b", ["a:1", "x"])
    assert store.tag("b", ["x", "never"], remove=True) == ("b", ["a:1"])
    assert tags(queries, sweeps=["b"]) == {3: ["a:1", "base"], 4: ["a:1", "odd"]}
    status = {one.sweep: one.tags for one in queries.status()}
    assert status == {"a": ["base"], "b": ["a:1"]}


@pytest.mark.parametrize(
    "tag", ["", " ", "null", "two words", "a,b", "-x", "=1", "a\nb", "x\u202e", "t" * 101]
)
def test_what_is_no_tag_changes_nothing(labelled, store, content, tag):
    before = content()
    with pytest.raises(BadLabelError, match="is no tag"):
        store.tag("a", ["fine", tag])
    assert content() == before


def test_notes_are_kept_in_their_order(labelled, store, queries):
    run_id = labelled[0].run_id
    assert store.note("a", "first") == "a"
    store.note("a", " second\nline ")
    store.note(run_id, "of the run")
    (status,) = queries.status("a")
    assert [note.text for note in status.notes] == ["first", "second\nline"]
    detail = queries.run_detail(run_id)
    assert [note["text"] for note in detail["notes"]] == ["of the run"]
    assert detail["notes"][0]["created_at"].endswith("+00:00")
    assert detail["tags"] == ["base"]


@pytest.mark.parametrize("text", ["", " \n", "x" * (LONGEST_NOTE + 1)])
def test_an_empty_or_endless_note_is_refused(labelled, store, text):
    with pytest.raises(BadLabelError, match="a note has 1 to 10,000 characters"):
        store.note("a", text)


def test_a_name_that_is_neither_a_sweep_nor_a_run(labelled, store):
    with pytest.raises(UnknownLabelledError, match="no sweep is called 'c'"):
        store.tag("c", ["x"])
    with pytest.raises(UnknownLabelledError, match="ambiguous"):
        store.note("000", "x")


def exported(queries: Queries, path: Path) -> Path:
    with queries.view() as connection:
        export(connection, path)
    return path


def test_tags_and_notes_go_with_an_archive(labelled, store, queries, make, tmp_path):
    run_id = labelled[0].run_id
    store.note("a", "first")
    store.note(run_id, "of the run")
    archive = exported(queries, tmp_path / "archive.db")
    url = f"sqlite:///{tmp_path}/other.db"
    with Store.open(url) as other, Queries.open(url) as theirs:
        make.save(other, "a", labelled[:1])
        other.tag("a", ["here"])
        other.note("a", "mine")
        with open_archive(archive) as opened:
            merged = other.merge(opened)
            assert merged.counts["sweep_tags"].inserted == 1
            assert merged.counts["run_tags"].inserted == 3
            assert not other.merge(opened).changed
        assert tags(theirs) == {
            1: ["base", "here"], 2: ["base", "here", "odd"], 3: ["base", "here"], 4: ["odd"]
        }  # fmt: skip
        (status,) = theirs.status("a")
        assert [note.text for note in status.notes] == ["mine", "first"]
        assert theirs.run_detail(run_id)["notes"] == queries.run_detail(run_id)["notes"]


def test_an_archive_with_what_is_no_tag_is_refused(store, queries, make, plain, tmp_path):
    make.save(store, "a", make.runs(1))
    with plain.begin() as connection:
        connection.exec_driver_sql("INSERT INTO sweep_tags VALUES (1, 'two words')")
    archive = exported(queries, tmp_path / "archive.db")
    with pytest.raises(BadArchiveError, match="'two words' is no tag"), open_archive(archive):
        pass
