"""Tags and notes of sweeps and runs: given, taken away, asked for, exported and imported."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from results.analysis.reports import report
from results.archive import parquet
from results.archive.reading import open_archive
from results.archive.writing import export
from results.errors import BadArchiveError, BadLabelError, UnknownLabelledError
from results.frames import Results
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


def test_notes_are_taken_away_by_their_numbers(labelled, store, queries, content):
    for text in ("first", "second", "third"):
        store.note("a", text)
    assert store.remove_note("a", 2) == "a"
    assert [(note.number, note.text) for note in queries.status("a")[0].notes] == [
        (1, "first"),
        (3, "third"),
    ]
    before = content()
    with pytest.raises(BadLabelError, match="a has no note 2; its notes have the numbers 1, 3"):
        store.remove_note("a", 2)
    with pytest.raises(BadLabelError, match="has no note 1; it has none"):
        store.remove_note(labelled[0].run_id, 1)
    assert content() == before
    store.note("a", "fourth")
    shown, tags, notes = queries.labels_of("a")
    assert (shown, tags) == ("a", ["base"])
    assert [(note["number"], note["text"]) for note in notes] == [
        (1, "first"),
        (3, "third"),
        (4, "fourth"),
    ]


def test_tags_are_in_the_flat_view(labelled, plain):
    with plain.connect() as connection:
        query = "SELECT run_id, tags FROM runs_flat ORDER BY run_id"
        found = {int(row[0], 16): row[1] for row in connection.exec_driver_sql(query)}
    assert found == {1: "base", 2: "base,odd", 3: "base", 4: "odd"}


def test_tags_are_in_the_frame_of_runs(labelled, queries):
    frame = Results(queries).runs()
    assert dict(zip(frame["run_id"].map(lambda r: int(r, 16)), frame["tags"], strict=True)) == {
        1: ["base"],
        2: ["base", "odd"],
        3: ["base"],
        4: ["odd"],
    }


def test_tags_and_notes_are_in_parquet(labelled, store, queries, tmp_path):
    store.note("a", "of the sweep")
    store.note(labelled[0].run_id, "of the run")
    with queries.view() as connection:
        parquet.export(connection, tmp_path / "parquet")

    def table(name):
        return pq.read_table(tmp_path / "parquet" / f"{name}.parquet").to_pylist()

    assert table("sweep_tags") == [{"sweep": "a", "tag": "base"}]
    assert [row["tag"] for row in table("run_tags")] == ["base", "odd", "odd"]
    assert [(row["sweep"], row["text"]) for row in table("sweep_notes")] == [("a", "of the sweep")]
    assert [(row["run_id"], row["text"]) for row in table("run_notes")] == [
        (labelled[0].run_id, "of the run")
    ]


def test_two_databases_that_import_each_other_have_the_same_labels(store, queries, make, tmp_path):
    """Whatever numbers their notes had, and in whatever order they were written."""
    runs = make.runs(3)
    url = f"sqlite:///{tmp_path}/other.db"
    with Store.open(url) as other, Queries.open(url) as theirs:
        for one, name, mine in ((store, "here", runs[:2]), (other, "there", runs[1:])):
            make.save(one, "a", mine)
            one.tag("a", [name, "both"])
            one.tag(runs[1].run_id, [f"run-{name}"])
            for number in range(2):
                one.note("a", f"{name} {number}")
                one.note(runs[1].run_id, f"{name} {number} of the run")
        other.remove_note("a", 1)
        for source, target, name in ((queries, other, "1"), (theirs, store, "2")):
            with open_archive(exported(source, tmp_path / f"{name}.db")) as archive:
                target.merge(archive)
                assert not target.merge(archive).changed

        def labels(queries, name):
            _, tags, notes = queries.labels_of(name)
            numbers = [note["number"] for note in notes]
            assert numbers == sorted(set(numbers))
            return tags, {(note["text"], note["created_at"]) for note in notes}

        for name in ("a", runs[1].run_id):
            assert labels(queries, name) == labels(theirs, name)
        assert {text for text, _ in labels(queries, "a")[1]} == {"here 0", "here 1", "there 1"}
        assert labels(queries, "a")[0] == ["both", "here", "there"]
        assert len(labels(queries, runs[1].run_id)[1]) == 4
