"""Names of plug-ins: found without importing them, and refused with their package's name."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType

import pytest

from sweep_plugins import PluginError, Registry, UnknownNameError, registry

GROUP = "sweep.tests"

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Puts a package with one module on the path, as an installer would."""

    def put(name: str, entry_points: str, code: str = "", version: str = "1.0") -> None:
        module = name.replace("-", "_")
        metadata = tmp_path / f"{module}-{version}.dist-info"
        metadata.mkdir()
        metadata.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        metadata.joinpath("entry_points.txt").write_text(f"[{GROUP}]\n{entry_points}\n")
        tmp_path.joinpath(f"{module}.py").write_text(code)
        registry._entry_points.cache_clear()
        registry._points_of.cache_clear()

    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield put
    registry._entry_points.cache_clear()
    registry._points_of.cache_clear()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def functions(**own: object) -> Registry[object]:
    return Registry("function", GROUP, own, instance_of=FunctionType)


def ours() -> str:
    return "ours"


def test_plugins_are_listed_without_import_and_imported_when_used(
    install: Install,
) -> None:
    install("example-one", "theirs = example_one:theirs", "def theirs(): return 'theirs'")
    names = functions(ours=ours)
    assert list(names) == ["ours", "theirs"]
    assert len(names) == 2
    assert "theirs" in names
    assert names.package("theirs") == "example-one 1.0"
    assert names.package("ours") is None
    assert names["ours"] is ours
    assert "example_one" not in sys.modules
    found = names["theirs"]
    assert isinstance(found, FunctionType)
    assert found() == "theirs"
    assert names["theirs"] is found


def test_the_code_of_a_plugin_is_its_files(install: Install) -> None:
    code = "class Entry:\n    sources = ('table.txt',)\n\n\ndef theirs(): ...\nmore = Entry()\n"
    install("example-one", "theirs = example_one:theirs\nmore = example_one:more", code)
    names: Registry[object] = Registry("function", GROUP, {"ours": ours})
    assert names.code("ours") is None
    assert "example_one" not in sys.modules
    found = names.code("theirs")
    assert found is not None
    assert found.files == {"example_one.py": hashlib.sha256(code.encode()).hexdigest()}
    with pytest.raises(PluginError, match=r"example-one 1\.0 .*sources has 'table.txt', and there"):
        names.code("more")
    (found.home / "table.txt").write_text("1")
    more = names.code("more")
    assert more is not None
    assert more.files.keys() == {"example_one.py", "table.txt"}
    with pytest.raises(UnknownNameError):
        names.code("none")


def test_built_in_entries_can_be_imported_lazily() -> None:
    names = functions(join="shutil:copyfile")
    names.check("join")
    assert names["join"].__name__ == "copyfile"  # type: ignore[attr-defined]


def test_an_unknown_name_lists_plugin_names_too(install: Install) -> None:
    install("example-one", "theirs = example_one:theirs", "def theirs(): ...")
    with pytest.raises(UnknownNameError) as caught:
        functions(ours=ours)["their"]
    assert str(caught.value) == (
        "unknown function 'their'; did you mean 'theirs'? (known: ours, theirs)"
    )


BROKEN = {
    "a module that is missing": ("import no_such_module", "ModuleNotFoundError", "no_such_module"),
    "an attribute that is missing": ("", "AttributeError", "no attribute 'theirs'"),
    "a syntax error": ("def theirs(:", "SyntaxError", "example_one.py"),
    "an error of its own": ("\n\n1 / 0", "ZeroDivisionError", "example_one.py:3)"),
    "an end of the program": ("raise SystemExit(0)", "SystemExit: 0", "example_one.py:1)"),
    "an error without a text": (
        "class E(Exception):\n    def __str__(self):\n        return 1 / 0\nraise E",
        "E: (its text could not be made: ZeroDivisionError)",
        "example_one.py:4)",
    ),
    "an endless error": ("raise ValueError('x' * 10**7)", "ValueError: xxx", "xxx... ("),
}


@pytest.mark.parametrize(("code", "kind", "detail"), BROKEN.values(), ids=BROKEN)
def test_a_plugin_that_fails_to_import_is_named_in_one_line(
    install: Install, code: str, kind: str, detail: str
) -> None:
    install("example-one", "theirs = example_one:theirs", code)
    names = functions(ours=ours)
    with pytest.raises(PluginError) as caught:
        names["theirs"]
    message = str(caught.value)
    assert message.startswith(
        "plug-in example-one 1.0 (sweep.tests: theirs = example_one:theirs) cannot be imported: "
        + kind
    )
    assert detail in message
    assert "\n" not in message
    assert len(message) < 3_000
    assert names["ours"] is ours
    assert list(names) == ["ours", "theirs"]


def test_a_plugin_of_the_wrong_type_is_named(install: Install) -> None:
    install("example-one", "theirs = example_one:theirs\nlist = example_one:List", "theirs = 3\n")
    with pytest.raises(PluginError, match=r"example-one 1\.0 .* is 3, and not an instance of"):
        functions()["theirs"]
    lists: Registry[type] = Registry("list", GROUP, {}, subclass_of=list)
    with pytest.raises(PluginError, match=r"is 3, and not a subclass of builtins\.list"):
        lists["theirs"]


def test_a_plugin_using_a_built_in_name_is_an_error_when_used(
    install: Install,
) -> None:
    install("example-one", "ours = example_one:ours", "raise AssertionError('imported')")
    names = functions(ours=ours, other=ours)
    for use in (names.check, names.__getitem__, names.package):
        with pytest.raises(PluginError) as caught:
            use("ours")
        assert str(caught.value) == (
            "plug-in example-one 1.0 (sweep.tests: ours = example_one:ours) takes a name that is"
            " sweep's own: uninstall that package, or rename its entry point"
        )
    assert names["other"] is ours
    assert list(names) == ["ours", "other"]


def test_a_name_of_two_plugins_is_an_error_naming_both(install: Install) -> None:
    install("example-one", "theirs = example_one:theirs", "def theirs(): ...")
    install("example-two", "theirs = example_two:theirs", "def theirs(): ...", version="2.0")
    with pytest.raises(PluginError) as caught:
        functions()["theirs"]
    message = str(caught.value)
    assert "function 'theirs' is in 2 packages" in message
    assert "example-one 1.0" in message
    assert "example-two 2.0" in message
    assert list(functions()) == ["theirs"]
