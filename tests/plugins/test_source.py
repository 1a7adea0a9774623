"""The hash of somebody's code: of what decides results, and of nothing else."""

from __future__ import annotations

import os
import py_compile
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweep_plugins import SourceError, source
from sweep_plugins.source import Code, code_of

PINNED = "62d909799cb7147a4840c93d0103d62bcdfc669030aaee865bad70ecda4e1d2d"
"""Of FILES; it is in the ids of runs, and so can never change."""

Write = Callable[[dict[str, str]], None]

FILES = {"lab/__init__.py": "", "lab/plain.py": "A = 1\n", "lab/deep/more.py": "B = 2\n"}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Writes files into a folder on the path; what is imported is forgotten before and after."""
    before = set(sys.modules)

    def forget() -> None:
        for name in set(sys.modules) - before:
            del sys.modules[name]

    def put(files: dict[str, str]) -> None:
        forget()
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)

    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield put
    forget()


def code(module: str = "lab.plain", *sources: str) -> Code:
    import_module(module)
    found = code_of(module, sources)
    assert found is not None
    return found


def test_a_package_is_all_of_its_modules(write: Write) -> None:
    write(FILES)
    found = code()
    assert found.files.keys() == FILES.keys()
    write({"lab/deep/more.py": "B = 3\n"})
    assert code().sha256 != found.sha256
    write({"lab/deep/more.py": "B = 2\n"})
    assert code() == found
    write({"lab/new.py": ""})
    assert code().sha256 != found.sha256


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(sorted(FILES)), seconds=st.integers(0, 2**31), other=st.booleans())
def test_when_and_how_files_came_there_changes_nothing(
    write: Write, tmp_path: Path, order: list[str], seconds: int, other: bool
) -> None:
    for name in FILES:
        (tmp_path / name).unlink(missing_ok=True)
    for name in order:
        write({name: FILES[name]})
        os.utime(tmp_path / name, (seconds, seconds))
        if other:
            py_compile.compile(str(tmp_path / name))
            stale = (tmp_path / name).with_suffix(".pyc")
            stale.write_bytes(b"stale")
    write({"lab/.ipynb_checkpoints/plain-checkpoint.py": str(seconds), "lab/README.md": str(order)})
    assert code().sha256 == PINNED


def test_sources_stand_in_for_the_package(write: Write) -> None:
    write({**FILES, "lab/table.json": "1", "lab/data/__pycache__/a.pyc": "", "lab/data/b": ""})
    more = code("lab.plain", "table.json", "data")
    assert more.files.keys() == {"plain.py", "table.json", "data/b"}
    alone = code("lab.plain", "table.json")
    assert alone.files.keys() == {"plain.py", "table.json"}
    itself = code("lab.plain", str(Path(sys.path[0]) / "lab/plain.py"))
    assert itself.files.keys() == {"plain.py"}
    write({"lab/deep/more.py": "B = 3\n"})
    assert code("lab.plain", "table.json") == alone
    write({"lab/table.json": "2"})
    assert code("lab.plain", "table.json") != alone
    with pytest.raises(SourceError, match=r"^sources has 'no such', and there is no /.*/no such$"):
        code("lab.plain", "no such")


def test_what_else_is_in_a_namespace_is_another_package(write: Write) -> None:
    write({"space/mine/__init__.py": "", "space/mine/fit.py": "", "space/other/a.py": ""})
    assert code("space.mine.fit").files.keys() == {"space/mine/__init__.py", "space/mine/fit.py"}
    write({"loose/fit.py": "", "loose/deep/more.py": "", "single.py": ""})
    assert code("loose.fit").files.keys() == {"loose/fit.py", "loose/deep/more.py"}
    assert code("single").files.keys() == {"single.py"}


def test_a_process_has_the_code_that_it_imported(write: Write, tmp_path: Path) -> None:
    write(FILES)
    found = code()
    (tmp_path / "lab/plain.py").write_text("A = 2\n")
    assert code() == found
    write({})  # forgets what was imported
    assert code() != found


def test_what_has_no_source_has_no_code(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"bare.py": "A = 1\n"})
    py_compile.compile(str(tmp_path / "bare.py"), cfile=str(tmp_path / "bare.pyc"))
    (tmp_path / "bare.py").unlink()
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("packed/__init__.py", "")
        archive.writestr("packed/fit.py", "")
    monkeypatch.syspath_prepend(tmp_path / "packed.zip")
    import_module("bare")
    import_module("packed.fit")
    for module in ("bare", "packed.fit", "sys", "trainers.errors", "never_imported"):
        assert code_of(module) is None


def test_code_that_cannot_be_hashed_is_an_error(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({**FILES, "lab/\udcff.py": ""})  # a name in no encoding
    assert code().files.keys() == {*FILES, "lab/\udcff.py"}
    monkeypatch.setattr(source, "_MOST_BYTES", 3)
    write({})
    with pytest.raises(SourceError, match=r"^its code has more than .* MiB \(/.*\): move"):
        code()
    monkeypatch.undo()
    monkeypatch.setattr(Path, "read_bytes", mock.Mock(side_effect=PermissionError(13, "Denied")))
    monkeypatch.syspath_prepend(tmp_path)
    write({})
    with pytest.raises(SourceError, match=r"^its code cannot be read: .*Denied"):
        code()
