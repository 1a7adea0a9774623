"""Rows of another database are stored as the store would have stored them."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, insert, select

from results.database.dialects import insert_rows
from results.database.text_escaping import escape_text
from results.json_values import to_json
from results.schema.tables import evaluation_configs

NAMES = ("evaluation_id", "name", "kind", "level", "config")


@pytest.mark.parametrize("name", ["plain", "n\0x", "ü\0", "sweep\x1b[2J"])
def test_rows_of_another_database_have_their_texts_escaped(name):
    row = ("e" * 16, name, "gaussian", 0.1, {"noise": [name, None]})
    found = []
    for write in ("insert", "insert_rows"):
        engine = create_engine("sqlite://", json_serializer=to_json)
        escape_text(engine)
        evaluation_configs.create(engine)
        with engine.begin() as connection:
            if write == "insert":
                values = dict(zip(NAMES, row, strict=True))
                connection.execute(insert(evaluation_configs).values(values))
            else:
                insert_rows(connection, evaluation_configs, NAMES, [row])
            found.append(tuple(connection.execute(select(evaluation_configs)).one()))
        engine.dispose()
    assert found[0] == found[1]
    assert "\0" not in found[1][1]
