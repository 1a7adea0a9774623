"""Paths of files that runs keep: they stay in a folder, and can be shown."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep_plugins.file_path import problem_of_path


@pytest.mark.parametrize(
    "path", ["a", "plots/epoch 3.png", ".hidden", "-rf", "ä/ö.txt", "...", "x:y"]
)
def test_usual_names_are_no_problem(path: str) -> None:
    assert problem_of_path(path) is None


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("../up", "does not stay"),
        ("a/../../b", "does not stay"),
        ("/etc/passwd", "does not stay"),
        ("a//b", "does not stay"),
        ("a/", "does not stay"),
        ("./a", "does not stay"),
        ("", "does not stay"),
        ("a\nb", "cannot be printed"),
        ("a\0", "cannot be printed"),
        ("\x1b[31m", "cannot be printed"),
        ("gnp\u202e.exe", "cannot be printed"),
        ("\udcff", "cannot be printed"),
        ("..\\up", "backslash"),
        ("ä" * 200, "more than 255 bytes"),
        ("/".join(["a"] * 600), "more than 1,000 characters"),
    ],
)
def test_what_could_lead_elsewhere_or_not_be_shown_is_one(path: str, problem: str) -> None:
    assert problem in (problem_of_path(path) or "")


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("ab./\\\n\0ä"), max_size=12))
def test_no_path_that_passes_leaves_the_folder(path: str) -> None:
    if problem_of_path(path) is None:
        parts = PurePosixPath("/folder", path).parts
        assert parts[:2] == ("/", "folder")
        assert len(parts) == 2 + path.count("/") + 1
        assert ".." not in parts
