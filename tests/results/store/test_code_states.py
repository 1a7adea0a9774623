"""What attempts say of code: stored once for each content, read back as it was given."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archives
from results.errors import BadArchiveError
from results.json_values import as_stored, to_json
from results.queries.queries import Queries
from results.schema.tables import attempts, code_states
from results.store.store import Store

RUN = f"{1:016x}"
DIFF = {"repositories": [{"repository": "lab", "commit": "0" * 40, "diff": "+é\n" * 5_000}]}
OTHER_DIFF = {"repositories": [{"repository": "lab", "commit": "1" * 40}]}


def codes(plain):
    """What is stored of code, by its digest."""
    with plain.connect() as connection:
        found = {row.sha256: row.content for row in connection.execute(code_states.select())}
    for sha256, content in found.items():
        assert hashlib.sha256(to_json(content).encode()).hexdigest() == sha256
    return list(found.values())


def told(queries, run_id=RUN):
    return [attempt["provenance"] for attempt in queries.run_detail(run_id)["attempt_history"]]


def test_what_all_attempts_of_a_driver_say_of_code_is_stored_once(store, queries, make, plain):
    made = make.runs(4)
    ids = [run.run_id for run in made]
    make.save(store, "s", made)
    for of_driver in ({"driver_pid": 1, **DIFF}, {"driver_pid": 2, **DIFF}):
        store.claim_all(ids[:3], provenance=of_driver)
        for run_id in ids[:3]:
            store.release(run_id, of_driver["driver_pid"], "lost", "gone", fault="worker_lost")
    assert codes(plain) == [DIFF]
    store.claim(ids[3], provenance={"driver_pid": 3, **OTHER_DIFF})
    packages = {"packages": {"numpy": "2.4"}}
    done = make.result(ids[3], provenance={"host": "node-2", **packages})
    assert store.commit(ids[3], 1, done)
    assert sorted(codes(plain), key=str) == sorted([DIFF, OTHER_DIFF, packages], key=str)
    assert told(queries, ids[0]) == [{"driver_pid": pid, **DIFF} for pid in (1, 2)]
    assert told(queries, ids[3]) == [{"driver_pid": 3, **OTHER_DIFF, "host": "node-2", **packages}]
    rows = queries.attempt_rows(ids)
    assert [row["provenance"] for row in rows if row["run_id"] == ids[3]] == told(queries, ids[3])
    with plain.connect() as connection:
        longest = max(len(str(row)) for row in connection.execute(attempts.select()))
    assert longest < 1_000


def test_a_claim_that_takes_nothing_stores_nothing(store, make, plain):
    make.save(store, "s", make.runs(1))
    assert store.claim("f" * 16, provenance=DIFF) is None
    assert codes(plain) == []


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=4), inside),
    max_leaves=8,
)
PROVENANCE = st.dictionaries(
    st.sampled_from(["host", "driver_pid", "repositories", "sources", "packages", "accepted_code"])
    | st.text(max_size=4),
    ANYTHING,
    max_size=6,
)


@settings(max_examples=10, deadline=None)
@given(at_the_claim=PROVENANCE, at_the_end=PROVENANCE)
def test_provenance_is_read_back_as_it_was_given(make, emptied_store, at_the_claim, at_the_end):
    store = emptied_store()
    make.save(store, "s", make.runs(1))
    store.claim(RUN, provenance=at_the_claim)
    store.fail(RUN, 1, "broke", None, provenance=at_the_end)
    (found,) = told(Queries(store._database))
    # Of keys that become one when they are stored, the last one counts.
    assert found == {**as_stored(at_the_claim), **as_stored(at_the_end)}


def test_code_goes_with_the_last_attempt_that_refers_to_it(store, make, plain):
    made = make.runs(3)
    make.save(store, "a", made[:2])
    make.save(store, "b", made[2:])
    for run, code in zip(made, (DIFF, OTHER_DIFF, DIFF), strict=True):
        store.claim(run.run_id, provenance=code)
        store.fail(run.run_id, 1, "broke", None, provenance={"packages": {}})
    assert len(codes(plain)) == 3
    store.delete_runs("a", [run.run_id for run in made[:2]], lambda run_id: None)
    assert sorted(codes(plain), key=str) == sorted([DIFF, {"packages": {}}], key=str)
    store.delete_runs("b", [made[2].run_id], lambda run_id: None)
    assert codes(plain) == []


def test_archives_carry_the_code_of_their_attempts_and_no_other(
    store, url, make, tmp_path, postgres_url
):
    made = make.runs(3)
    make.save(store, "a", made[:1])
    make.save(store, "b", made)
    for run, code in zip(made, (DIFF, OTHER_DIFF, DIFF), strict=True):
        store.claim(run.run_id, provenance=code)
        store.fail(run.run_id, 1, "broke", None, provenance={"packages": {"é": "1"}})
    archives.export_from(url, tmp_path / "a", ["a"])
    assert len(archives.rows(tmp_path / "a", "code_states")) == 2
    archives.export_from(url, tmp_path / "whole")
    merged = archives.import_into(postgres_url, tmp_path / "a")
    assert merged.counts["code_states"].inserted == 2
    merged = archives.import_into(postgres_url, tmp_path / "whole")
    counts = merged.counts["code_states"]
    assert (counts.inserted, counts.already_here, counts.left_out) == (1, 2, 0)
    assert not archives.import_into(postgres_url, tmp_path / "whole").changed
    with Queries.open(url) as here, Queries.open(postgres_url) as there:
        for run in made:
            assert told(here, run.run_id) == told(there, run.run_id)


def test_code_of_attempts_that_are_not_imported_is_left_out(store, url, make, tmp_path):
    make.save(store, "s", make.runs(1))
    archives.export_from(url, tmp_path / "before")
    here = f"sqlite:///{tmp_path}/here.db"
    archives.import_into(here, tmp_path / "before")
    with Store.open(here) as other:
        make.finish(other, make.run(1))
    store.claim(RUN, provenance=DIFF)
    store.fail(RUN, 1, "broke", None)
    archives.export_from(url, tmp_path / "after")
    merged = archives.import_into(here, tmp_path / "after")
    assert not merged.changed
    assert merged.counts["code_states"].left_out == 1


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("UPDATE code_states SET content = '{\"a\":1}'", "content is not what has the SHA-256"),
        ("DELETE FROM code_states", "refers to nothing in code_states"),
        ("UPDATE code_states SET sha256 = upper(sha256)", "an id is 64 hex digits"),
    ],
)
def test_an_archive_whose_code_is_not_what_its_digest_says_is_refused(
    sqlite_url, make, tmp_path, statement, says
):
    with Store.open(sqlite_url) as store:
        make.save(store, "s", make.runs(1))
        store.claim(RUN, provenance=DIFF)
    path = tmp_path / "archive"
    archives.export_from(sqlite_url, path)
    archives.change(path, statement)
    with pytest.raises(BadArchiveError, match=says):
        archives.import_into(f"sqlite:///{tmp_path}/lab.db", path)
