"""The state of the code in a Git repository: its commit, and what was changed since."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from sweep_plugins.plain_text import shortened
from sweep_plugins.text_secrets import hide_secrets

LONGEST_DIFF = 16_000
"""Characters that are kept of changes."""

MOST_UNTRACKED = 50
_LONGEST_NAME = 200

_NO_CODE = ("__pycache__/", "*.pyc", ".sweep/")
"""What is in many a folder, whether Git was told to ignore it or not."""

_SECONDS = 10.0

_SECRET_FILES = (
    "*.env", ".env*", "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa*", "id_ed25519*", ".netrc",
    ".pypirc", ".pgpass", "*credentials*", "*secret*",
)  # fmt: skip
"""Files whose changes are not kept at all."""


@lru_cache(maxsize=1)
def git_commit() -> str | None:
    """The commit of the checkout that this code runs from.

    "+changes" is appended if this package was edited since. Outside of a checkout, what the
    variable SWEEP_GIT_COMMIT says, as in an image; None without one.
    """
    here = Path(__file__).resolve().parents[1]
    try:
        # Installed inside a repository of something else, git knows no such file.
        _git(here, "ls-files", "--error-unmatch", str(Path(__file__).resolve()))
        commit = _git(here, "rev-parse", "HEAD")
        edited = _git(here, "status", "--porcelain", "--untracked-files=no", "--", str(here))
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("SWEEP_GIT_COMMIT") or None
    return f"{commit}+changes" if edited else commit


def repositories(folders: Iterable[Path]) -> list[dict[str, Any]]:
    """The repositories that hold these folders, each once; folders outside of any have none.

    Of each `repository` (the name of its folder), `commit` (None before the first), and, if tracked
    files were changed, `diff` against it and `diff_sha256` of that whole text. A diff is shortened
    to LONGEST_DIFF, and secrets in it are hidden. `untracked` has the names of files, and of whole
    folders, that are neither tracked nor ignored, and at most MOST_UNTRACKED of them.
    """
    found: dict[str, dict[str, Any]] = {}
    for folder in dict.fromkeys(folders):
        try:
            top = _git(folder, "rev-parse", "--show-toplevel")
            if top and top not in found:
                found[top] = _state(Path(top))
        except (OSError, subprocess.SubprocessError):
            continue  # no repository, no Git, or one so large that looking at it takes long
    return list(found.values())


def _state(top: Path) -> dict[str, Any]:
    state: dict[str, Any] = {"repository": top.name, "commit": None}
    try:
        state["commit"] = _git(top, "rev-parse", "--verify", "--quiet", "HEAD")
    except subprocess.CalledProcessError:
        return state
    without = [f":(exclude,glob,icase)**/{pattern}" for pattern in _SECRET_FILES]
    # No program that the repository's settings name is started for it.
    as_text = ("--no-ext-diff", "--no-textconv", "--no-color")
    diff = _git(top, "diff", "HEAD", *as_text, "--", ".", *without)
    if diff:
        state["diff_sha256"] = hashlib.sha256(diff.encode(errors="replace")).hexdigest()
        state["diff"] = shortened(diff, LONGEST_DIFF, hide_secrets)
    if untracked := _untracked(top):
        state["untracked"] = untracked
    return state


def _untracked(top: Path) -> list[str]:
    unlisted = [f"--exclude={pattern}" for pattern in _NO_CODE]
    whole_folders = ("--directory", "--no-empty-directory")
    told = _git(top, "ls-files", "--others", "--exclude-standard", *unlisted, *whole_folders, "-z")
    names = [shortened(hide_secrets(name), _LONGEST_NAME) for name in told.split("\0") if name]
    if len(names) > MOST_UNTRACKED:
        names[MOST_UNTRACKED:] = [f"and {len(names) - MOST_UNTRACKED} more"]
    return names


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments],
        check=True, capture_output=True, text=True, errors="replace", timeout=_SECONDS,
    ).stdout.strip()  # fmt: skip
