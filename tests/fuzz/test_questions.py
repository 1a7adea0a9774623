"""Whatever --where, --group-by, --metric, or a name holds: a table, or one message."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from sqlalchemy import insert

import databases
from broken_questions import EVALUATION, SWEEP, questions
from command_line import sweep
from results.schema.tables import sweep_specs
from results.store.store import Store
from stored_rows import replace_rows
from sweeper.planning.cost import CostModel
from sweeper.planning.plan import plan_rows
from sweeper.spec.spec import spec_from_text

SPEC = """
model: zerosnet
dataset: digits
training: {epochs: 2}
grid:
  scheme: [{lambda: 10}, {lambda: 1/4}, {lambda: 1, trainable: true}]
  depth: [20, 32]
  seed: [0, 1]
evaluations: [{noise: gaussian, std: 0.1}]
"""


def fill(url: str) -> str:
    """Runs as a sweep leaves them, of every state; the URL again."""
    Store.open(url).close()
    spec = spec_from_text(SPEC, "s.yaml")
    rows = plan_rows(spec, {}, CostModel({}))
    for number, (row, config) in enumerate(zip(rows, spec.configs, strict=True)):
        done = number % 4 != 3
        row |= {"sweep": SWEEP, "state": "done" if done else "failed", "config": config.to_json()}
        row |= {"attempts": 1, "diverged": number == 2 if done else None}
        if done:
            row |= {"test_accuracy": 50.0 + number, "train_seconds": 1.0}
            row["evaluations"] = [{"name": EVALUATION, "accuracy": 40.0}]
        else:
            row["evaluations"] = []
    engine = databases.plain_engine(url)
    replace_rows(engine, rows, {SWEEP: [EVALUATION]})
    stored = {"text": SPEC, "source": "s.yaml", "overrides": [], "created_at": 1.0}
    with engine.begin() as connection:
        connection.execute(insert(sweep_specs), {"sweep_id": 0, "version": 1, **stored})
    engine.dispose()
    return url


@pytest.fixture(scope="module", params=databases.KINDS)
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("asked")
    if request.param == "sqlite":
        yield fill(f"sqlite:///{folder}/results.db")
        return
    with databases.postgres_schema(request.getfixturevalue("postgres")) as made:
        yield fill(made)


def ask(database: str, folder: Path, arguments: list[str]) -> None:
    """Asks, and checks that what comes back is a table or one message."""
    command, *rest = arguments
    options = [f"--db={database}"]
    if command == "plot":
        options.append(f"--output={folder}/figures")
    asked = sweep(command, *options, *rest)
    assert asked.exit_code in (0, 2)
    if asked.exit_code == 2:
        assert asked.stdout == ""
        message = asked.stderr.removesuffix("\n")
        assert message.startswith("error: ")
        assert len(message) < 20_000
        assert "Traceback" not in message
    elif "--format=json" in rest:
        json.loads(asked.stdout)


@settings(max_examples=250, deadline=None)
@given(questions)
@pytest.mark.slow
@pytest.mark.long
def test_any_query_options_give_a_table_or_one_error_message(database, tmp_path_factory, arguments):
    ask(database, tmp_path_factory.getbasetemp(), arguments)
