"""Whether a worker has imported what the driver has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from sweeper.executors import own_code as module
from sweeper.executors.own_code import OwnCode, as_plain_data, own_code


def test_the_same_process_has_the_same_code() -> None:
    assert own_code().difference(own_code()) == ""
    assert OwnCode(**as_plain_data(own_code())) == own_code()
    assert Path(own_code().folder, "sweeper", "executors", "own_code.py").is_file()


def test_a_difference_is_said() -> None:
    here = own_code()
    other = replace(here, sha256="0" * 64, versions={**here.versions, "torch": "1.0"})
    assert other.difference(here) == (
        f"torch is 1.0, and {here.versions['torch']} on the driver's machine;"
        f" the code of sweep in {here.folder} is not the driver's"
    )


def test_a_build_of_the_same_version_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "version", lambda package: f"2.10.0+{package}")
    assert own_code().versions["torch"] == "2.10.0"


def test_where_the_files_lie_makes_no_difference_and_what_they_say_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digest(folder: str, name: str, text: str) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text)
        package = ModuleType("package")
        package.__path__ = [str(tmp_path / folder)]
        monkeypatch.setattr(module, "_PACKAGES", {"package": package})
        return own_code().sha256

    first = digest("here", "a.py", "1")
    assert digest("there", "a.py", "1") == first
    assert digest("edited", "a.py", "2") != first
    assert digest("renamed", "b.py", "1") != first
    assert digest("here", "b.py", "") != first
