"""Everything that is asked of the database, as a user types it, on SQLite and on Postgres."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sqlalchemy import make_url
from typer.testing import Result

import command_line
import databases
from results.schema.revisions import NEWEST
from results.store.store import Store

SPEC = """
name: tiny
description: two schemes at two depths
published: zerosnet/table3
model: zerosnet
dataset: digits
trainer: fake_trainers:quick
training: {epochs: 2}
grid:
  scheme: [{alpha: [1, 1, 1], beta: 1}, {lambda: 10}]
  depth: [32, 44]
  seed: [0, 1, 2]
evaluations:
  - {noise: gaussian, std: 0.1}
  - {noise: gaussian, std: 0.2}
"""


@pytest.fixture(scope="module", params=databases.KINDS)
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("laboratory")
    (folder / "tiny.yaml").write_text(SPEC)
    if request.param == "sqlite":
        made = Lab(folder, f"sqlite:///{folder}/lab.db")
        made.sweep("run", "tiny.yaml", "--executor", "inline")
        yield made
        return
    with databases.postgres_schema(request.getfixturevalue("postgres")) as url:
        made = Lab(folder, url)
        made.sweep("run", "tiny.yaml", "--executor", "inline")
        yield made


class Lab:
    """A folder, and a database in which the tiny sweep has run."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url

    def sweep(self, *arguments: str, code: int = 0) -> Result:
        done = command_line.sweep(*arguments, folder=self.folder, SWEEP_DB=self.url)
        assert done.exit_code == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def ask(self, *arguments: str) -> Any:
        return json.loads(self.sweep(*arguments, "--format", "json").stdout)


def test_running_a_finished_sweep_again_trains_nothing(lab: Lab) -> None:
    done = lab.sweep("run", "tiny.yaml", "--executor", "inline")
    assert "12 of 12 runs done already; nothing to train" in done.stderr


def test_a_password_in_the_url_is_shown_nowhere(lab: Lab) -> None:
    if lab.url.startswith("sqlite"):
        pytest.skip("SQLite has no passwords")
    url = make_url(lab.url).set(password="hunter2/%&")
    elsewhere = url.set(database="nowhere").render_as_string(hide_password=False)
    done = Lab(lab.folder, elsewhere).sweep("status", code=3)
    assert "nowhere" in done.stderr
    assert "hunter2" not in done.stderr
    status = Lab(lab.folder, url.render_as_string(hide_password=False)).sweep("status")
    assert "tiny" in status.stdout


def test_report_writes_every_format(lab: Lab) -> None:
    options = ("report", "tiny", "--group-by", "zero_stable,depth", "--metric", "test_accuracy")
    groups = lab.ask(*options)
    assert [(g["zero_stable"], g["depth"], g["runs"]) for g in groups] == [
        (False, 32, 3), (False, 44, 3), (True, 32, 3), (True, 44, 3),
    ]  # fmt: skip
    assert [g["test_accuracy_mean"] for g in groups] == [51.0] * 4
    rows = list(csv.DictReader(io.StringIO(lab.sweep(*options, "--format", "csv").stdout)))
    assert [float(row["test_accuracy_std"]) for row in rows] == [1.0] * 4
    assert "51.00 ± 1.00" in lab.sweep(*options).stdout
    assert "| 51.00 ± 1.00 |" in lab.sweep(*options, "--format", "markdown").stdout
    latex = lab.sweep(*options, "--format", "latex").stdout
    assert "\\toprule" in latex
    assert "\\bottomrule" in latex
    assert "<table" in lab.sweep(*options, "--format", "html").stdout
    lab.sweep(*options, "--format", "parquet", "--output", "report.parquet")
    import pandas as pd

    frame = pd.read_parquet(lab.folder / "report.parquet")
    assert list(frame["test_accuracy_mean"]) == [51.0] * 4


def test_report_writes_a_pivot_table(lab: Lab) -> None:
    options = ("report", "tiny", "--rows", "zero_stable,scheme", "--columns", "depth")
    table = lab.sweep(*options, "--metric", "test_accuracy").stdout
    assert "32" in table
    assert "44" in table
    assert table.count("51.00 ± 1.00") == 4
    assert "\\textbf" in lab.sweep(*options, "--format", "latex").stdout
    cells = lab.ask(*options, "--metric", "test_accuracy")
    assert {cell["test_accuracy_best"] for cell in cells} == {True}
    lab.sweep("report", "--rows", "scheme", code=2)
    lab.sweep("report", "--rows", "scheme", "--columns", "depth", "--group-by", "seed", code=2)


@pytest.mark.slow
def test_report_tests_zero_stability_groups(lab: Lab) -> None:
    rows = lab.ask("report", "tiny", "--test", "zero_stable", "--metric", "test_accuracy")
    assert {row["level"] for row in rows} == {"networks", "runs"}
    for row in rows:
        assert row["difference"] == 0
        assert row["auc"] == 0.5
    said = lab.sweep("report", "tiny", "--test", "zero_stable").stdout
    assert "too few" in said
    by_depth = lab.sweep("report", "tiny", "--test", "depth").stdout
    assert "depth=44 minus depth=32" in by_depth
    wrong = lab.sweep("report", "tiny", "--test", "seed", code=2).stderr
    assert "seed" in wrong


def test_compare_uses_the_published_table_named_in_the_spec(lab: Lab) -> None:
    found = lab.ask("compare", "tiny")
    states = [row["state"] for row in found["rows"]]
    assert states.count("compared") == 4
    assert states.count("missing") == 26
    (row,) = [
        r for r in found["rows"]
        if r["state"] == "compared" and r["depth"] == 32 and r["zero_stable"] is False
    ]  # fmt: skip
    assert (row["published_mean"], row["our_mean"], row["our_runs"]) == (78.44, 51.0, 3)
    assert row["difference"] == pytest.approx(51.0 - 78.44)
    assert row["same_conditions"] is False
    said = lab.sweep("compare", "tiny").stdout
    assert "epochs" in said
    assert "cifar10" in said.lower() or "CIFAR-10" in said
    assert lab.ask("compare", "tiny", "--table", "zerosnet/table10")["rows"]
    assert "zerosnet/table3" in lab.sweep("compare", "tiny", "--table", "table3", code=2).stderr
    lab.sweep("compare", "nobody", code=2)


@pytest.mark.slow
def test_plot_draws_every_possible_figure(lab: Lab) -> None:
    done = lab.sweep("plot", "tiny", "--format", "svg", "--output", "figures")
    drawn = [Path(line) for line in done.stdout.split()]
    assert {path.stem for path in drawn} == {
        "accuracy_by_scheme", "accuracy_by_parameters", "accuracy_by_noise", "training_curves",
        "roots",
    }  # fmt: skip
    for path in drawn:
        assert ElementTree.parse(lab.folder / path).getroot().tag.endswith("svg")
    assert "no learned_coefficients" in done.stderr
    lab.sweep("plot", "tiny", "learned_coefficients", code=2)
    lab.sweep("plot", "tiny", "nothing", code=2)
    lab.sweep("plot", "tiny", "roots", "--format", "gif", code=2)


@pytest.mark.slow
def test_the_html_report_opens_offline(lab: Lab) -> None:
    lab.sweep("report", "tiny", "--html", "page.html", "--test", "zero_stable")
    page = (lab.folder / "page.html").read_text()
    for match in re.findall(r"""(?:src|href)=["']([^"'#][^"']*)""", page):
        assert not match.startswith(("http", "//")), match
    assert re.findall(r"<figcaption><b>[^<]*</b> ([^<]*)", page) == [
        "Accuracy by scheme", "Accuracy against parameters", "Accuracy against noise",
        "Training curves", "Characteristic roots",
        # Its trainer is none of this project, and reports these.
        "train_loss by scheme", "test_loss by scheme", "Training curves: test_loss",
    ]  # fmt: skip
    assert page.count('src="data:image/svg+xml') == 8
    for text in ("tiny", "51.00", "two schemes at two depths", "git"):
        assert text in page
    if not lab.url.startswith("sqlite"):
        assert "options=" not in page


def test_html_report_links_cells_to_runs_and_runs_to_provenance(lab: Lab) -> None:
    groups = lab.ask("report", "tiny", "--group-by", "run_id", "--where", "depth=44")
    assert len(groups) == 6
    said = lab.sweep("show", groups[0]["run_id"]).stdout
    for text in (
        "host",
        "torch",
        "git_commit",
        "sweep tiny asks for it: version 1",
        "{lambda: 10}",
    ):
        assert text in said
    detail = lab.ask("show", groups[0]["run_id"])
    assert detail["sweep_specs"][0]["text"] == SPEC
    assert detail["attempt_history"][0]["provenance"]["python"]


@pytest.mark.slow
def test_export_and_import_between_sqlite_and_postgres(lab: Lab, tmp_path: Path) -> None:
    archive = str(tmp_path / "archive.db")
    assert "12 runs" in lab.sweep("export", "tiny", "--output", archive).stderr
    url = f"sqlite:///{archive}"
    assert lab.ask("report", "tiny", "--db", url) == lab.ask("report", "tiny")
    said = lab.sweep("retry", "--db", url, code=3).stderr
    assert "is an archive" in said
    assert "sweep import" in said
    lab.sweep("export", "tiny", "--output", archive, code=2)
    lab.sweep("export", "tiny", "--output", archive, "--replace")
    lab.sweep("export", "nobody", "--output", str(tmp_path / "n"), code=2)
    other = Lab(lab.folder, f"sqlite:///{tmp_path}/other.db")
    assert "12 runs added" in other.sweep("import", archive, "--as", "copy").stderr
    assert "0 runs added" in other.sweep("import", archive, "--as", "copy").stderr
    here, there = lab.ask("report", "tiny"), other.ask("report", "copy")
    assert [group.pop("imported") for group in here] == [0] * 4
    assert [group.pop("imported") for group in there] == [3] * 4
    assert here == there
    before = lab.ask("report")
    assert "0 runs added" in lab.sweep("import", archive).stderr
    assert lab.ask("report") == before


def test_export_writes_parquet_for_other_programs(lab: Lab, tmp_path: Path) -> None:
    folder = str(tmp_path / "tables")
    said = lab.sweep("export", "tiny", "--format", "parquet", "--output", folder).stderr
    assert "12 runs" in said
    import pandas as pd

    assert len(pd.read_parquet(Path(folder) / "runs.parquet")) == 12
    said = lab.sweep("export", "--format", "xml", "--output", str(tmp_path / "x"), code=2).stderr
    assert "sqlite, parquet" in said
    lab.sweep("export", "--format", "parquet", "--replace", "--output", folder, code=2)
    assert "is no file" in lab.sweep("import", folder, code=2).stderr


def test_a_sweep_name_with_a_path_writes_no_files_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/hostile.db"
    with Store.open(url) as store:
        store.save_sweep("../../out", "", "s.yaml", [], None, [], [])
    hostile = Lab(tmp_path, url)
    assert "--output" in hostile.sweep("plot", "../../out", code=2).stderr
    hostile.sweep("export", "--output", "archive")
    other = Lab(tmp_path, f"sqlite:///{tmp_path}/other.db")
    assert "'../../out' is not a name" in other.sweep("import", "archive", code=2).stderr
    assert not (tmp_path / "other.db").exists()
    other.sweep("import", "archive", "--as", "inside")
    assert [sweep["sweep"] for sweep in other.ask("status")] == ["inside"]


def test_db_current_shows_the_newest_schema(lab: Lab) -> None:
    assert lab.sweep("db", "current").stdout == f"{NEWEST}\n"
    assert "already" in lab.sweep("db", "upgrade").stderr


def test_an_older_schema_is_reported_in_one_line_with_the_fix(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    Store.open(url).close()
    with databases.plain_engine(url).begin() as connection:
        connection.exec_driver_sql("UPDATE sweep_schema SET version_num = '0002'")
    old = Lab(tmp_path, url)
    said = old.sweep("db", "current")
    assert said.stdout == "0002\n"
    for line in (
        said.stderr,
        old.sweep("status", code=3).stderr,
        old.sweep("db", "upgrade", code=3).stderr,
        old.sweep("import", "old.db", "--db", f"sqlite:///{tmp_path}/new.db", code=2).stderr,
    ):
        assert "has schema 0002, which is from before the first release" in line
        assert line.count("\n") == 1
    assert not (tmp_path / "new.db").exists()


HOSTILE = [
    "'; DROP TABLE runs; --", '"', "\\", "%s", "%", "${HOME}", "$(touch owned)", "`id`", "../../x",
    "/etc/passwd", "a\nb", "\x1b[31m", "😀", "ｄｅｐｔｈ", "depth;", "depth--", "depth' OR '1'='1",
    "x" * 5000, "[", "]", "{}", "{0}", "config", "config.a.b", ".", "..", "a..b", "training",
    "training.optimizer", "__class__", "__dict__", "-1", "1e999", "nan", "null", "true", "*", "?",
    "--help", ";", "<script>", "SELECT 1", "run_id) OR (1=1", "evaluations", "epochs.epoch",
    "gaussian[0.1", "gaussian[]", "𝕕𝕖𝕡𝕥𝕙",
]  # fmt: skip


# What one database and another read differently; fuzz/test_questions.py asks both far more.
ON_POSTGRES = [
    "'; DROP TABLE runs; --", '"', "\\", "%s", "%", "a\nb", "\x1b[31m", "😀", "ｄｅｐｔｈ",
    "depth--", "depth' OR '1'='1", "x" * 5000, "[", "{0}", "config.a.b", "-1", "1e999", "nan",
    "null", "true", "?", "run_id) OR (1=1", "epochs.epoch", "gaussian[0.1",
]  # fmt: skip


@pytest.mark.parametrize(
    ("lab", "value"),
    [("sqlite", value) for value in HOSTILE] + [("postgres", value) for value in ON_POSTGRES],
    indirect=["lab"],
    scope="module",
)
@pytest.mark.slow
def test_hostile_option_values_change_nothing(lab: Lab, value: str) -> None:
    def ask(*arguments: str) -> tuple[int, str]:
        said = command_line.sweep(*arguments, folder=lab.folder, SWEEP_DB=lab.url)
        return said.exit_code, said.output

    before = databases.content(lab.url)
    files = sorted(path.name for path in lab.folder.iterdir())
    for option in ("--group-by", "--where", "--metric", "--rows", "--test"):
        for given in (value, f"{value}=1", f"depth={value}") if option == "--where" else (value,):
            more = ("--columns", "depth") if option == "--rows" else ()
            code, said = ask("report", "tiny", f"{option}={given}", *more)
            assert code in (0, 2), said
            if code == 0 and option == "--where":
                # What is a filter all the same lets no run through that it should not.
                assert "12 runs" not in said or given in ("depth=*",), said
    for command in ("report", "show", "status", "compare", "plot", "retry", "resume"):
        code, said = ask(command, "--", value)
        assert code == 2, said
    assert databases.content(lab.url) == before
    assert sorted(path.name for path in lab.folder.iterdir()) == files
