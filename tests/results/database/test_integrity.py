from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import text

from results.database.connect import connect
from results.database.integrity import corruptions, find_corruption
from results.store.store import Store


@pytest.fixture
def filled(store, make):
    evaluation = make.evaluation(1)
    make.save(store, "one", make.runs(3), [evaluation])
    make.finish(
        store, make.run(1), evaluations=[make.measured(evaluation, 70.0)],
        probes=[make.probe(epoch=0), make.probe(value=None)], blocks=[make.block(1)],
    )  # fmt: skip
    store.claim(f"{2:016x}", provenance={"host": "nœud"})
    return store


def found(url):
    with closing(connect(url, "read")) as database:
        return find_corruption(database)


def test_databases_written_by_the_store_are_sound(filled, url):
    assert found(url) is None


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("DELETE FROM attempts WHERE state = 'done'", "run 0000000000000001 is done"),
        ("DELETE FROM sweep_specs", "sweep 'one' has no spec"),
        ("UPDATE attempts SET provenance = '[1]' WHERE state = 'running'", "attempts.provenance"),
        ("UPDATE sweep_specs SET overrides = '[1]'", "sweep_specs.overrides is"),
        ("UPDATE code_states SET content = '[1]'", "code_states.content is '[1]'"),
        ("UPDATE code_states SET content = '{\"a\": 1}'", "code_states.content is not what has"),
    ],
)  # fmt: skip
def test_corruption_that_violates_no_constraint_is_found(filled, url, plain, statement, says):
    with plain.begin() as connection:
        connection.execute(text(statement))
    assert str(found(url)).startswith(says)


def test_every_missing_table_is_found(sqlite_url, tmp_path):
    Store.open(sqlite_url).close()
    with closing(sqlite3.connect(tmp_path / "results.db")) as connection:
        connection.executescript("DROP TABLE probes; DROP TABLE blocks")
    with closing(connect(sqlite_url, "read")) as database, database.reading() as view:
        missing = set(itertools.islice(corruptions(view), 2))
    assert missing == {"there is no table blocks", "there is no table probes"}
