"""Which files a module consists of, and which others lie beside it."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Literal

from sweep_plugins.errors import SourceError

OWN_PACKAGES = frozenset({"trainers", "sweeper", "results", "sweep_plugins"})
"""What is of this project has a version of its own, RECIPE_VERSION, which says what changed."""

What = Literal["all", "modules"]

_COMPILED = frozenset({".pyc", ".pyo"})
_PACKAGE_FOLDERS = frozenset({"site-packages", "dist-packages"})


@dataclass(frozen=True)
class ModuleFiles:
    """The files of a module that is in no package, or of a package.

    Attributes:
        name: of the module or the package.
        files: each by its name.
        folders: all Python modules of which are among them.
        roots: the folders that it lies in, where what it imports may lie beside it.
    """

    name: str
    files: Mapping[str, Path]
    folders: tuple[Path, ...] = ()
    roots: tuple[Path, ...] = ()


def file_of(module: ModuleType) -> Path:
    """The file that a module was loaded from: its source, its binary, or the archive that it is in.

    Raises SourceError if there is none.
    """
    said = getattr(module, "__file__", None)
    places = [Path(said), *Path(said).parents] if isinstance(said, str) else []
    for place in places:
        if place.is_file():
            return place
    raise SourceError(
        f"{module.__name__} was not loaded from a file, so that nobody could tell its code from"
        " another: put it into a module of Python"
    )


def files_of(module: ModuleType) -> ModuleFiles:
    """Those of a module's outermost package, or of the module itself if it is in none.

    Of a package that lies in an archive it is the archive. Raises SourceError as `file_of`.
    """
    file = file_of(module)
    if file != Path(str(module.__file__)):
        return ModuleFiles(module.__name__, {file.name: file})
    package = _package_of(module.__name__)
    if package is not None:
        return _package(package.__name__, map(Path, package.__path__))
    return ModuleFiles(module.__name__, {file.name: file}, roots=(file.parent,))


def _package_of(name: str) -> ModuleType | None:
    """What a module is part of, or is: packages of others may lie beside it in a namespace."""
    parts = name.split(".")
    around = (sys.modules.get(".".join(parts[:length])) for length in range(1, len(parts) + 1))
    packages = [each for each in around if each is not None and hasattr(each, "__path__")]
    whole = (each for each in packages if getattr(each, "__file__", None) is not None)
    return next(whole, packages[0] if packages else None)


def _package(name: str, folders: Iterable[Path]) -> ModuleFiles:
    files: dict[str, Path] = {}
    place, found = name.replace(".", "/"), tuple(folders)
    for folder in found:
        files |= {f"{place}/{path.relative_to(folder)}": path for path in modules_in(folder)}
    depth = name.count(".")
    return ModuleFiles(name, files, found, tuple(folder.parents[depth] for folder in found))


def files_beside(name: str, roots: Iterable[Path]) -> ModuleFiles | None:
    """Those of what an import of this name finds, if it lies in one of these folders.

    Nothing is imported. `name` may go on after that of a module, as `from module import name` does.
    """
    top, *inner = name.split(".")
    if top in OWN_PACKAGES:
        return None
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):  # of a module that has been put in its place
        return None
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        file = Path(spec.origin or "")
        beside = file.parent in roots and file.is_file()
        return ModuleFiles(top, {file.name: file}, roots=(file.parent,)) if beside else None
    folders = [f for f in map(Path, spec.submodule_search_locations) if f.parent in roots]
    if not folders:
        return None
    if spec.origin is None:  # a folder that several packages may share
        for length in range(1, len(inner) + 1):
            part = "/".join(inner[:length])
            if packages := [f / part for f in folders if (f / part / "__init__.py").is_file()]:
                return _package(".".join([top, *inner[:length]]), packages)
    return _package(top, folders)


def modules_in(folder: Path) -> Iterator[Path]:
    """Whatever Python would import: sources, binaries, and bytecode without its source."""
    return (path for path in files_in(folder) if _is_module(path))


def files_in(folder: Path) -> Iterator[Path]:
    """All but what was compiled, and what is hidden, such as the copies that editors keep."""
    for path in folder.rglob("*"):
        inside = path.relative_to(folder).parts
        hidden = any(part == "__pycache__" or part.startswith(".") for part in inside)
        compiled = path.suffix in _COMPILED and (
            path.suffix != ".pyc" or path.with_suffix(".py").is_file()
        )
        if not hidden and not compiled and path.is_file():
            yield path


def _is_module(path: Path) -> bool:
    if path.suffix in (".py", ".pyc"):
        return True
    # Libraries that are linked, and no modules, have the same ending.
    return path.name.endswith(tuple(EXTENSION_SUFFIXES)) and not path.name.startswith("lib")


def names_in(folder: Path) -> frozenset[str]:
    """Of the modules and packages that could be imported from this folder."""
    try:
        with os.scandir(folder) as entries:
            found = {
                entry.name.partition(".")[0]
                for entry in entries
                if _is_module(Path(entry.name)) or entry.is_dir()
            }
    except OSError:
        return frozenset()
    return frozenset(name for name in found if name.isidentifier() and name != "__pycache__")


def is_installed(path: str | Path) -> bool:
    """Whether it is Python's own, or lies where installers put packages."""
    parts = Path(path).parts
    return not _PACKAGE_FOLDERS.isdisjoint(parts) or any(
        parts[: len(folder)] == folder for folder in _installed_folders()
    )


@cache
def _installed_folders() -> tuple[tuple[str, ...], ...]:
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({Path(sysconfig.get_path(kind)).parts for kind in kinds})
