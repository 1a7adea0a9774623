"""docs/database.md and docs/analysis.md: every query and every block of Python runs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect

import databases
from command_line import sweep
from results.schema.tables import metadata
from results.schema.views import NAMES

ROOT = Path(__file__).parents[2]
DATABASE_PAGE = (ROOT / "docs" / "database.md").read_text()
QUESTIONS = re.findall(
    r"^([A-Z][^\n]*\?)\n\n```sql\n(.*?)```", DATABASE_PAGE, re.MULTILINE | re.DOTALL
)

SPEC = """
name: quickstart
model: zerosnet
dataset: digits
depth: 32
trainer: probing_trainers:{trainer}
training: {epochs: 2}
grid:
  scheme: [{alpha: [1, 1, 1], beta: 1}, {lambda: 1/4}, {lambda: 10}, {lambda: 1/2}]
  seed: [0, 1, 2]
evaluations:
  - {noise: gaussian, std: 0.1}
  - {noise: constant, value: 0.3}
"""


def run_quickstart(folder: Path, database: str | None = None) -> None:
    """The sweep quickstart, and one whose blocks learn; None for the database in the home."""
    environment = {"SWEEP_DB": database} if database else {}
    (folder / "quickstart.yaml").write_text(SPEC.replace("{trainer}", "probing"))
    learning = SPEC.replace("{trainer}", "learning").replace("quickstart", "learning")
    (folder / "learning.yaml").write_text(learning)
    for spec in ("learning.yaml", "quickstart.yaml"):
        said = sweep("run", spec, "--executor", "inline", folder=folder, **environment)
        assert said.exit_code == 0, said.stderr


@pytest.fixture(scope="module", params=databases.KINDS)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("laboratory")
    if request.param == "sqlite":
        run_quickstart(folder)
        yield databases.plain_engine(f"sqlite:///{folder}/.sweep/sweep.db")
        return
    with databases.postgres_schema(request.getfixturevalue("postgres")) as url:
        run_quickstart(folder, url)
        engine = databases.plain_engine(url)
        yield engine
        engine.dispose()


def test_the_database_page_has_twelve_queries() -> None:
    assert len(QUESTIONS) == 12


@pytest.mark.parametrize(("question", "query"), QUESTIONS, ids=[q[0] for q in QUESTIONS])
def test_every_documented_query_returns_rows(engine: Engine, question: str, query: str) -> None:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(query.strip().rstrip(";")).all()
    if "failed" in question or "lost" in question:
        assert rows == []  # nothing went wrong
    else:
        assert rows, question


def test_the_database_page_lists_every_view_column(engine: Engine) -> None:
    section = DATABASE_PAGE.split("## Views")[1].split("\n## ")[0]
    for view in NAMES:
        paragraph = section.split(f"`{view}`, one row")[1].split("\n\n")[0]
        named = re.findall(r"`([a-z0-9_]+)`", paragraph)
        assert named == [column["name"] for column in inspect(engine).get_columns(view)]


def test_the_database_page_lists_every_table() -> None:
    section = DATABASE_PAGE.split("## Schema")[1].split("\n## ")[0]
    assert set(re.findall(r"`([a-z_]+)`", section.split("Accuracies are")[0])) == set(
        metadata.tables
    )


@pytest.mark.slow
def test_the_schema_picture_is_up_to_date(tmp_path: Path) -> None:
    drawn = tmp_path / "schema.svg"
    subprocess.run(
        [sys.executable, ROOT / "docs" / "draw_schema.py", drawn], check=True, timeout=120
    )
    assert drawn.read_text() == (ROOT / "docs" / "schema.svg").read_text()


@pytest.mark.slow
def test_every_code_block_of_the_analysis_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_quickstart(tmp_path)
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "analysis.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        *statements, last = block.strip().splitlines()
        exec("\n".join(statements), names)
        # The last line of a notebook's cell is its result.
        try:
            result = eval(last, names)
        except SyntaxError:
            exec(last, names)
            continue
        assert result is None or len(result) > 0, last
    assert "test_accuracy: 51" in capsys.readouterr().out
