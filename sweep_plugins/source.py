"""The code of trainers and plug-ins, whose hash is part of what decides a result."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Literal

from sweep_plugins.errors import SourceError

OWN_PACKAGES = frozenset({"trainers", "sweeper", "results", "sweep_plugins"})
"""What is of this project has a version of its own, RECIPE_VERSION, which says what changed."""

_MOST_BYTES = 2**28
_COMPILED = frozenset({".pyc", ".pyo"})


What = Literal["all", "modules"]


@dataclass(frozen=True)
class Code:
    """The files that a trainer or a plug-in consists of.

    Attributes:
        sha256: of all of them: of their names and contents, whatever else they have.
        files: the SHA-256 of each, by name.
        home: the folder of the file that it was named in.
        paths: where each file lies, by name.
        folders: all of which counts, or all Python modules of which do.
    """

    sha256: str
    files: Mapping[str, str]
    home: Path = field(compare=False)
    paths: Mapping[str, Path] = field(compare=False, default_factory=dict)
    folders: Mapping[Path, What] = field(compare=False, default_factory=dict)


def code_of(module: str, sources: Iterable[str] = ()) -> Code | None:
    """The code of an imported module: its file and `sources`, or else all modules of its package.

    A package is the outermost one that has an `__init__`; of folders without any, the outermost.
    `sources` are files and folders, relative to the module's file; of a folder everything but
    caches counts. None for what is of this project, or was not read from a source file.

    A process has the code that it imported: later edits of the files change no answer.

    Raises SourceError if one of `sources` is not there, if a file cannot be read, or all of it is
    more than 256 MiB.
    """
    imported = sys.modules.get(module)
    if imported is None:
        return None
    key = (module, tuple(sources))
    known = _known.get(key)
    if known is None or known[0] is not imported:
        known = _known[key] = imported, _code_of(imported, key[1])
    return known[1]


_known: dict[tuple[str, tuple[str, ...]], tuple[ModuleType, Code | None]] = {}


def _code_of(module: ModuleType, sources: tuple[str, ...]) -> Code | None:
    file = getattr(module, "__file__", None)
    if file is None or module.__name__.partition(".")[0] in OWN_PACKAGES:
        return None
    if Path(file).suffix != ".py" or not Path(file).is_file():
        return None
    folder = Path(file).parent
    found: dict[str, Path] = {}
    folders: dict[Path, What] = {}
    package = None if sources else _package_of(module.__name__)
    if package is not None:
        place = package.__name__.replace(".", "/")
        for root in map(Path, package.__path__):
            folders[root] = "modules"
            found |= {f"{place}/{path.relative_to(root)}": path for path in _modules_in(root)}
    else:
        found[Path(file).name] = Path(file)
    for given in sources:
        named = folder / given
        if not named.exists():
            raise SourceError(f"sources has {given!r}, and there is no {named}")
        inside: Iterable[Path] = [named]
        if named.is_dir():
            folders[named] = "all"
            inside = _files_in(named)
        found |= {os.path.relpath(path, folder): path for path in inside}
    return _digested(found, folders, folder.resolve())


def is_as_it_was(files: Mapping[str, str], folders: Mapping[str, str]) -> bool:
    """Whether files, by path, still have these SHA-256, and folders hold no others.

    Args:
        folders: as those of a `Code`.
    """
    for folder, what in folders.items():
        inside = _files_in(Path(folder)) if what == "all" else _modules_in(Path(folder))
        if not all(str(path) in files for path in inside):
            return False
    try:
        return all(sha256_of(Path(path)) == sha256 for path, sha256 in files.items())
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """Of a file's content. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _package_of(name: str) -> ModuleType | None:
    """What a module is part of, or is: packages of others may lie beside it in a namespace."""
    parts = name.split(".")
    around = (sys.modules.get(".".join(parts[:length])) for length in range(1, len(parts) + 1))
    packages = [each for each in around if each is not None and hasattr(each, "__path__")]
    whole = (each for each in packages if getattr(each, "__file__", None) is not None)
    return next(whole, packages[0] if packages else None)


def _modules_in(root: Path) -> Iterator[Path]:
    return (path for path in _files_in(root) if path.suffix == ".py")


def _files_in(root: Path) -> Iterator[Path]:
    """All but what was compiled, and what is hidden, such as the copies that editors keep."""
    for path in root.rglob("*"):
        inside = path.relative_to(root).parts
        hidden = any(part == "__pycache__" or part.startswith(".") for part in inside)
        if not hidden and path.suffix not in _COMPILED and path.is_file():
            yield path


def _digested(files: dict[str, Path], folders: dict[Path, What], home: Path) -> Code:
    each: dict[str, str] = {}
    digest = hashlib.sha256()
    left = _MOST_BYTES
    for name, path in sorted(files.items()):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise SourceError(f"its code cannot be read: {error}") from error
        left -= len(content)
        if left < 0:
            raise SourceError(
                f"its code has more than {_MOST_BYTES >> 20} MiB ({path}): move its package away"
                " from the data, and name the files that decide results in sources"
            )
        digest.update(os.fsencode(f"{name}\0{len(content)}\0") + content)
        each[name] = hashlib.sha256(content).hexdigest()
    return Code(digest.hexdigest(), each, home, files, folders)
