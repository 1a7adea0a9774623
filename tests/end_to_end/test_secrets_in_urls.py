"""A secret in a URL, wherever it is given: refused, and nowhere afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_line import sweep

SECRET = "wJalrXUtnFEMI"

SPEC = """
name: secrets
model: zerosnet
depth: 20
dataset: digits
trainer: TRAINER
training: {epochs: 2}
"""

ARGUMENTS = {
    "one slash": [f"--storage=s3:/AKIA:{SECRET}@bucket/runs"],
    "no scheme": ["--storage", f"AKIA:{SECRET}@bucket"],
    "a port that is none": ["--storage", f"s3://AKIA:{SECRET}/x"],
    "an option": ["--storage", f"s3://bucket/runs?token={SECRET}"],
    "a signature": [f"--storage=/data/runs?sig={SECRET}"],
    "the home": ["--home", f"s3://AKIA:{SECRET}@bucket/home"],
    "Ray": ["--ray-address", f"me:{SECRET}@host:6379"],
    "Ray's URL": ["--ray-address", f"http://me:{SECRET}@host:8265"],
    "an override": ["--set", f"description=https://me:{SECRET}@host/x"],
    "an argument too many": [f"https://me:{SECRET}@host/s.yaml"],
    "an unknown option": [f"--stroage=s3://AKIA:{SECRET}@bucket"],
    "SQLite": [f"--db=sqlite:///me:{SECRET}@host/x.db"],
    "SQLite's options": [f"--db=sqlite:///x.db?secret={SECRET}"],
    "Postgres": [f"--db=postgresql://me@127.0.0.1:1/x?token={SECRET}"],
    "another database": [f"--db=mysql://me:{SECRET}@host/x"],
}


def run(tmp_path: Path, *arguments: str, trainer: str = "fake_trainers:quick", **environment: str):
    (tmp_path / "s.yaml").write_text(SPEC.replace("TRAINER", trainer))
    return sweep("run", "s.yaml", *arguments, folder=tmp_path, **environment)


@pytest.mark.parametrize("case", ARGUMENTS)
def test_a_secret_in_the_arguments_is_refused_before_anything_is_made(
    case: str, tmp_path: Path
) -> None:
    arguments = ARGUMENTS[case]
    executor = [] if "Ray" in case else ["--executor=inline"]
    said = run(tmp_path, *arguments, *executor)
    assert said.exit_code in (2, 3), said.output
    assert SECRET not in said.output
    assert "Traceback" not in said.output
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


@pytest.mark.parametrize("variable", ["SWEEP_STORAGE", "SWEEP_HOME"])
def test_a_secret_in_a_variable_is_refused(variable: str, tmp_path: Path) -> None:
    said = run(tmp_path, "--executor=inline", **{variable: f"s3:/AKIA:{SECRET}@bucket"})
    assert said.exit_code == 2
    assert "looks like a password or a token" in said.output
    assert SECRET not in said.output
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


def test_a_secret_in_a_spec_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(f"{SPEC}# as https://me:{SECRET}@wiki/page says\n")
    said = sweep("plan", "s.yaml", folder=tmp_path)
    assert said.exit_code == 2
    assert "error: s.yaml:8: a URL holds what looks like a password" in said.stderr
    assert SECRET not in said.output


def test_a_secret_that_a_trainer_quotes_is_kept_nowhere(tmp_path: Path) -> None:
    said = run(tmp_path, "--executor=inline", trainer="fake_trainers:quotes_a_secret")
    assert said.exit_code == 1
    assert "cannot reach s3://bucket/x?sig=***" in said.stderr
    shown = sweep("show", _run_id(tmp_path), "--format=json", folder=tmp_path)
    status = sweep("status", folder=tmp_path)
    assert "cannot reach s3://bucket/x?sig=***" in status.output
    for text in (said.output, shown.output, status.output):
        assert SECRET not in text
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


def _run_id(tmp_path: Path) -> str:
    return next(p.name for p in (tmp_path / ".sweep" / "runs").iterdir() if len(p.name) == 16)
