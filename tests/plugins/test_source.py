"""The hash of somebody's code: of what decides results, and of nothing else."""

from __future__ import annotations

import hashlib
import os
import py_compile
import sys
import zipfile
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from textwrap import dedent
from types import ModuleType
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


def test_what_has_no_source_is_the_file_that_was_loaded(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write({"bare.py": "A = 1\n"})
    py_compile.compile(str(tmp_path / "bare.py"), cfile=str(tmp_path / "bare.pyc"))
    (tmp_path / "bare.py").unlink()
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("packed/__init__.py", "")
        archive.writestr("packed/fit.py", "")
    monkeypatch.syspath_prepend(tmp_path / "packed.zip")
    for module, file in (("bare", "bare.pyc"), ("packed.fit", "packed.zip")):
        found = code(module)
        content = (tmp_path / file).read_bytes()
        assert found.files == {file: hashlib.sha256(content).hexdigest()}
        assert found.home == tmp_path
        assert code(module, "bare.pyc").files.keys() == {file, "bare.pyc"}


def test_binaries_and_lone_bytecode_of_a_package_are_its_modules(write: Write) -> None:
    suffix = EXTENSION_SUFFIXES[0]
    others = {"lab/libfast.so": "", "lab/fast.cp27.pyd": "", "lab/plain.pyc": ""}
    write({**FILES, **others, f"lab/deep/fast{suffix}": "1", "lab/lone.pyc": "2"})
    found = code()
    assert found.files.keys() == {*FILES, f"lab/deep/fast{suffix}", "lab/lone.pyc"}
    write({f"lab/deep/fast{suffix}": "2"})
    assert code().sha256 != found.sha256
    compiled = ModuleType("compiled")
    compiled.__file__ = str(Path(sys.path[0]) / f"lab/deep/fast{suffix}")
    sys.modules["compiled"] = compiled
    assert code("compiled").files.keys() == {f"fast{suffix}"}


@pytest.mark.parametrize("module", ["sys", "never_imported", "made"])
def test_what_was_loaded_from_no_file_has_no_code_that_could_be_told(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ModuleType("made")
    made.__file__ = "/nowhere/made.py"
    monkeypatch.setitem(sys.modules, "made", made)
    with pytest.raises(SourceError, match=rf"^{module} (was not loaded|is not among)"):
        code_of(module)
    assert code_of("trainers.errors") is None


MIXED = {
    "fit.py": """
        import json, rates as r, hypothesis.errors
        from absent import nothing

        def train(job):
            if job:
                from shared.deep import layers
        """,
    "rates.py": "import helper",
    "helper.py": "import fit, rates",
    "shared/__init__.py": "'import unused'",
    "shared/deep/layers.py": "from . import other",
    "shared/deep/other.py": "import loose.inner.more",
    "loose/inner/__init__.py": "",
    "loose/inner/more.py": "",
    "loose/outer.py": "",
    "unused.py": "",
    "json.py": "",
    "hypothesis/errors.py": "",
    "trainers/errors.py": "",
    "broken.py": "import unused (",
}
OF_MIXED = {
    "fit.py", "rates.py", "helper.py", "shared/__init__.py", "shared/deep/layers.py",
    "shared/deep/other.py", "loose/inner/__init__.py", "loose/inner/more.py",
}  # fmt: skip


@pytest.fixture
def mixed(write: Write, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Code]:
    """The code of `fit`, after some changes of files; what stands in the way is not imported."""
    texts = {name: dedent(text) for name, text in MIXED.items()}
    # As for a trainer beside a spec: what is installed is found before it.
    sys.path.append(sys.path.pop(0))

    def of_fit(**changed: str) -> Code:
        write({**texts, "absent.py": "nothing = 1", **changed})
        return code("fit")

    return of_fit


def test_what_a_module_imports_of_what_lies_beside_it_is_its_code(mixed, tmp_path) -> None:
    before = mixed()
    assert before.files.keys() == OF_MIXED | {"absent.py"}
    for name in sorted(OF_MIXED):
        assert mixed(**{name: f"{dedent(MIXED[name])}\nMORE = 1\n"}).sha256 != before.sha256, name
    for name in MIXED.keys() - OF_MIXED:
        assert mixed(**{name: "MORE = 1"}) == before, name
    (tmp_path / "extra.py").write_text("import broken\n")
    found = mixed(**{"rates.py": "def rate():\n    import extra, helper"})
    assert found.files.keys() == OF_MIXED | {"absent.py", "extra.py", "broken.py"}


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.permutations(["unused", "shared.deep.layers", "loose.outer", "helper"]))
def test_what_else_was_imported_changes_no_code(mixed, first: list[str]) -> None:
    wanted = mixed()
    mixed()
    sys.modules.pop("fit")
    for name in first[:2]:
        import_module(name)
    source._known.clear()
    assert code("fit") == wanted


def test_a_module_of_the_same_name_from_elsewhere_does_not_stand_in_for_it(
    mixed, tmp_path, monkeypatch
) -> None:
    wanted = mixed()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/rates.py").write_text(MIXED["rates.py"])
    mixed()
    for name in ("fit", "rates"):
        sys.modules.pop(name)
    monkeypatch.syspath_prepend(tmp_path / "other")
    source._known.clear()
    assert code("fit").sha256 != wanted.sha256


def test_what_lies_beside_an_installed_module_is_of_others(write: Write, tmp_path, monkeypatch):
    files = {"fit.py": "import rates\n", "lab/__init__.py": "import rates\n", "rates.py": ""}
    write({f"site-packages/{name}": text for name, text in files.items()})
    monkeypatch.syspath_prepend(tmp_path / "site-packages")
    assert code("fit").files.keys() == {"fit.py"}
    assert code("lab").files.keys() == {"lab/__init__.py"}
    write(files)
    monkeypatch.syspath_prepend(tmp_path)
    assert code("fit").files.keys() == {"fit.py", "rates.py"}
    assert code("lab").files.keys() == {"lab/__init__.py", "rates.py"}
    assert code("lab", ".").files.keys() == {"__init__.py"}


def test_a_name_with_any_letters_is_imported_like_others(write: Write, tmp_path, monkeypatch):
    # The middle one is written with a ligature, which Python reads as two letters.
    text = "import \u00e9lan, e\ufb01n\nfrom caf\u00e9 import x\n"
    write({"fit.py": text, "\u00e9lan.py": "", "efin.py": "", "caf\u00e9.py": "x = 1\n"})
    monkeypatch.syspath_prepend(tmp_path)
    assert code("fit").files.keys() == {"fit.py", "\u00e9lan.py", "efin.py", "caf\u00e9.py"}


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
