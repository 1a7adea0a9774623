"""The state of the repositories that hold a user's code."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from trainers.provenance.repository import LONGEST_DIFF, MOST_UNTRACKED, repositories


def git(*arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b.invalid")
    return subprocess.run(
        ["git", *who, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    home = tmp_path / "lab"
    (home / "code").mkdir(parents=True)
    monkeypatch.chdir(home)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    git("init", "--quiet")
    Path("code/fit.py").write_text("rate = 1\n")
    return home


def commit():
    git("add", ".")
    git("commit", "--quiet", "--message", "x")


def test_a_clean_repository_is_its_commit(repository):
    commit()
    (state,) = repositories([repository, repository / "code"])
    assert state == {"repository": "lab", "commit": git("rev-parse", "HEAD")}


def test_changes_are_kept_with_the_digest_of_all_of_them(repository):
    commit()
    Path("code/fit.py").write_text("rate = 2\n" + "x = 1\n" * 10_000)
    (state,) = repositories([repository / "code"])
    whole = git("diff", "HEAD")
    assert "-rate = 1\n+rate = 2" in state["diff"]
    assert state["diff_sha256"] == hashlib.sha256(whole.encode()).hexdigest()
    assert len(whole) > LONGEST_DIFF > len(state["diff"]) - 100


def test_secrets_are_not_kept(repository, monkeypatch):
    Path(".env").write_text("A=1\n")
    Path("code/deploy.key").write_text("one\n")
    commit()
    monkeypatch.setenv("LAB_PASSWORD", "from-the-environment")
    Path(".env").write_text("A=in-the-env-file\n")
    Path("code/deploy.key").write_text("in-the-key-file\n")
    Path("code/fit.py").write_text(
        "url = 'postgresql://me:in-the-url@host/lab'\n"
        "api_key = 'assigned to it'\n"
        "config = {'password': 'in-a-dict'}\n"
        "token: plain words of yaml\n"
        "x = 'from-the-environment'\n"
        "y = 'ghp_abcdefghijklmnop1234'\n"
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNza\n-----END OPENSSH PRIVATE KEY-----\n"
        "rate = 2\n"
    )
    (state,) = repositories([repository])
    for secret in (
        "in-the-env-file", "in-the-key-file", "in-the-url", "assigned", "in-a-dict", "plain words",
        "from-the-environment", "ghp_abc", "b3BlbnNza",
    ):  # fmt: skip
        assert secret not in state["diff"]
    assert "+rate = 2" in state["diff"]


def test_a_repository_without_a_commit_has_none(repository):
    assert repositories([repository]) == [{"repository": "lab", "commit": None}]


def test_what_is_in_no_repository_has_no_state(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert repositories([tmp_path]) == []
    monkeypatch.setenv("PATH", "/nonexistent")
    assert repositories([Path(__file__).parent]) == []


def test_no_program_that_the_repository_names_is_started(repository):
    commit()
    git("config", "diff.external", "touch started; false")
    git("config", "core.fsmonitor", "touch started; false")
    Path("code/fit.py").write_text("rate = 2\n")
    assert "+rate = 2" in repositories([repository])[0]["diff"]
    assert not Path("started").exists()


def test_files_that_git_does_not_know_are_named(repository):
    Path(".gitignore").write_text("ignored\n")
    commit()
    Path("ignored").write_text("x")
    Path("new é.py").write_text("x")
    Path(".sweep").mkdir()
    Path(".sweep/sweep.db").write_text("x")
    Path("code/__pycache__").mkdir()
    Path("code/__pycache__/fit.pyc").write_text("x")
    Path("data").mkdir()
    (state,) = repositories([repository / "code"])
    assert state["untracked"] == ["new é.py"]
    for number in range(100):
        Path(f"data/{number}").write_text("x")
    (state,) = repositories([repository])
    assert state["untracked"] == ["data/", "new é.py"]
    for number in range(MOST_UNTRACKED):
        Path(f"z{number}-password=hunter2").write_text("x")
    (state,) = repositories([repository])
    assert len(state["untracked"]) == MOST_UNTRACKED + 1
    assert state["untracked"][-1] == "and 2 more"
    assert "hunter2" not in str(state)
