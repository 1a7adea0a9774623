"""Builders of runs, evaluations and results, and stores in a temporary folder."""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

import databases
from results.queries.queries import Queries
from results.records import NewEvaluation, NewRun
from results.store.store import Store

PROVENANCE = {
    "host": "node-1",
    "pid": 7,
    "device": "cpu",
    "repositories": [{"repository": "lab", "commit": "0" * 40, "diff": "+é\n"}],
    "sources": {"1" * 64: {"fit.py": "2" * 64}},
}
SAID_AT_THE_END = {
    "host": "node-1",
    "pid": 7,
    "device": "cpu",
    "python": "3.11",
    "packages": {"numpy": "2.4", "torch": "2.15"},
    "first_epoch": 1,
}


class Make:
    """Builders; every argument has a default, and each run number its own id."""

    def run(self, number: int = 1, **changes: Any) -> NewRun:
        seed = changes.get("seed", number)
        run = NewRun(
            run_id=f"{number:016x}",
            config={
                "seed": seed,
                "model": {"name": "zerosnet", "width": 16},
                "training": {"epochs": 2, "optimizer": {"name": "sgd", "lr": 0.1}},
            },
            model="zerosnet",
            scheme="1/3, 5/9, 1/9; 16/9",
            depth=32,
            dataset="digits",
            seed=seed,
            alpha=[1 / 3, 5 / 9, 1 / 9],
            beta=16 / 9,
            trainable=False,
            root_moduli=[1.0, 1 / 3, 1 / 3],
            max_root_modulus=1.0,
            zero_stable=True,
            consistent=True,
            order=2,
            parameters=471_834,
            epochs=2,
        )
        return replace(run, **changes)

    def runs(self, count: int) -> list[NewRun]:
        return [self.run(number) for number in range(1, count + 1)]

    def own_run(self, number: int, seed: int = 0, **options: Any) -> NewRun:
        """Of a trainer that has options and no network."""
        config = {"trainer": "fit:train", "options": options, "seed": seed}
        kept = ("run_id", "config", "seed")
        nothing = {f.name: None for f in fields(NewRun) if f.name not in kept}
        return self.run(number, **{**nothing, "seed": seed, "config": config})

    def evaluation(self, number: int = 1, **changes: Any) -> NewEvaluation:
        level = number / 10
        evaluation = NewEvaluation(
            evaluation_id=f"e{number:015x}",
            name=f"gaussian[{level:g}]",
            kind="gaussian",
            level=level,
            config={"noise": "gaussian", "std": level},
        )
        return replace(evaluation, **changes)

    def measured(self, evaluation: NewEvaluation, accuracy: float | None) -> dict[str, Any]:
        return {
            "evaluation_id": evaluation.evaluation_id,
            "name": evaluation.name,
            "kind": evaluation.kind,
            "level": evaluation.level,
            "config": evaluation.config,
            "accuracy": accuracy,
            "loss": 0.5,
        }

    def result(self, run_id: str, attempt: int = 1, **changes: Any) -> dict[str, Any]:
        result: dict[str, Any] = {
            "format": 1,
            "run_id": run_id,
            "attempt": attempt,
            "parameters": 471_834,
            "test_accuracy": 90.0,
            "best_test_accuracy": 91.5,
            "best_epoch": 1,
            "train_accuracy": 95.0,
            "generalization_gap": 5.0,
            "test_loss": 0.4,
            "train_loss": 0.2,
            "diverged": False,
            "diverged_epoch": None,
            "train_seconds": 2.5,
            "images_per_second": 1200.0,
            "weights_sha256": "ab" * 32,
            "learned_coefficients": None,
            "epochs": [
                {
                    "epoch": epoch,
                    "learning_rate": 0.1,
                    "train_loss": 1.0 / epoch,
                    "train_accuracy": 40.0 * epoch,
                    "test_loss": 1.1 / epoch,
                    "test_accuracy": 45.0 * epoch,
                    "seconds": 1.25,
                }
                for epoch in (1, 2)
            ],
            "evaluations": [],
            "provenance": copy.deepcopy(SAID_AT_THE_END),
        }
        return result | changes

    def metrics(self, *, epochs: int = 2, **values: float | None) -> dict[str, Any]:
        """These metrics as parts of a result: the same value at each epoch, and at the end."""
        return {
            "metrics": dict(values),
            "epoch_metrics": [{"epoch": e, "values": dict(values)} for e in range(1, epochs + 1)],
        }

    def probe(self, quantity: str = "norm", epoch: int = 1, **changes: Any) -> dict[str, Any]:
        value: dict[str, Any] = {
            "probe": "feature_norms",
            "quantity": quantity,
            "epoch": epoch,
            "layer": "block1",
            "value": 1.5,
        }
        return value | changes

    def block(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        block: dict[str, Any] = {
            "block": number,
            "alpha": [0.75, 0.25],
            "beta": 1.0,
            "root_moduli": [1.0, 0.25],
            "max_root_modulus": 1.0,
            "zero_stable": True,
            "consistent": False,
            "order": 0,
        }
        return block | changes

    def row(self, number: int = 1, **changes: Any) -> dict[str, Any]:
        """A done run as `Queries.run_rows` gives it, with its config."""
        run = self.run(number)
        values = {name: getattr(run, name) for name in NewRun.__dataclass_fields__}
        config = values.pop("config")
        row = {
            **values,
            "sweep": "s",
            "state": "done",
            "test_accuracy": 90.0,
            "best_test_accuracy": 91.0,
            "train_accuracy": 95.0,
            "generalization_gap": 5.0,
            "diverged": False,
            "train_seconds": 2.5,
            "images_per_second": 1200.0,
            "attempts": 1,
            "imported": False,
            "evaluations": [],
            "metrics": [],
            "tags": [],
            "config": config,
        }
        assert changes.keys() <= row.keys()
        return row | changes

    def save(self, store: Store, name: str, runs: Any, evaluations: Any = ()) -> Any:
        return store.save_sweep(
            name, f"name: {name}\n", f"{name}.yaml", [], None, runs, evaluations
        )

    def finish(self, store: Store, run: NewRun, **changes: Any) -> None:
        attempt = store.claim(run.run_id, provenance=PROVENANCE)
        assert attempt is not None
        assert store.commit(run.run_id, attempt, self.result(run.run_id, attempt, **changes))


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture
def user_with_password(postgres: str) -> Iterator[tuple[str, str]]:
    """Name and password of a user whom the server lets in with that password only."""
    with databases.user_with_password(postgres) as user:
        yield user


@pytest.fixture(params=databases.KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a test's database is to be, once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/results.db"
    else:
        with request.getfixturevalue("postgres_tables").schema() as made:
            yield made


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/results.db"


@pytest.fixture
def plain_postgres(postgres_url: str) -> Iterator[Engine]:
    """As `plain`, for a test's database on Postgres."""
    engine = databases.plain_engine(postgres_url)
    yield engine
    engine.dispose()


@pytest.fixture
def content(url: str) -> Callable[[], dict[str, list[str]]]:
    """Every row of every table of the test's database."""
    return lambda: databases.content(url)


@pytest.fixture
def plain(url: str) -> Iterator[Engine]:
    """The test's database without our store, as another program sees it."""
    engine = databases.plain_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session", params=databases.KINDS)
def emptied_store(request: pytest.FixtureRequest) -> Iterator[Callable[[], Store]]:
    """A store that is empty at each call: for tests with many examples."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        url = f"sqlite:///{folder}/results.db"
        if request.param == "postgres":
            url = stack.enter_context(request.getfixturevalue("postgres_tables").schema())
        store = stack.enter_context(Store.open(url))

        def emptied() -> Store:
            store._database.write(databases.empty, lambda connection: False)
            return store

        yield emptied


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


@pytest.fixture
def queries(store: Store, url: str) -> Iterator[Queries]:
    with Queries.open(url) as opened:
        yield opened
