"""The code of trainers and plug-ins, whose hash is part of what decides a result."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from sweep_plugins.errors import SourceError
from sweep_plugins.local_imports import with_local_imports
from sweep_plugins.module_files import (
    OWN_PACKAGES,
    What,
    file_of,
    files_in,
    files_of,
    modules_in,
    names_in,
)

_MOST_BYTES = 2**28


@dataclass(frozen=True)
class Code:
    """The files that a trainer or a plug-in consists of.

    Attributes:
        sha256: of all of them: of their names and contents, whatever else they have.
        files: the SHA-256 of each, by name.
        home: the folder of the file that it was named in.
        paths: where each file lies, by name.
        folders: all of which counts, or all Python modules of which do.
        beside: the folders that its imports were looked for in, and the names of all modules there.
    """

    sha256: str
    files: Mapping[str, str]
    home: Path = field(compare=False)
    paths: Mapping[str, Path] = field(compare=False, default_factory=dict)
    folders: Mapping[Path, What] = field(compare=False, default_factory=dict)
    beside: Mapping[Path, frozenset[str]] = field(compare=False, default_factory=dict)


def code_of(module: str, sources: Iterable[str] = ()) -> Code | None:
    """The code of an imported module: its file and `sources`; or else all of it that lies together.

    That is all modules of its package, or its file if it is in none, and whatever these import
    that lies beside the package or the file, anywhere in their text. A package is the outermost one
    that has an `__init__`; of folders without any, the outermost. Of an installed one nothing
    beside it counts.

    `sources` are files and folders, relative to the module's file; of a folder everything but
    caches counts. A module without source is the file that it was loaded from: a binary, bytecode,
    an archive. None for what is of this project.

    A process has the code that it imported: later edits of the files change no answer.

    Raises SourceError if the module was loaded from no file, one of `sources` is not there, a file
    cannot be read, or all of it is more than 256 MiB.
    """
    if module.partition(".")[0] in OWN_PACKAGES:
        return None
    imported = sys.modules.get(module)
    if imported is None:
        raise SourceError(f"{module} is not among the modules that were imported")
    key = (module, tuple(sources))
    known = _known.get(key)
    if known is None or known[0] is not imported:
        known = _known[key] = imported, _code_of(imported, key[1])
    return known[1]


_known: dict[tuple[str, tuple[str, ...]], tuple[ModuleType, Code]] = {}


def _code_of(module: ModuleType, sources: tuple[str, ...]) -> Code:
    file = file_of(module)
    folder = file.parent
    found: dict[str, Path] = {}
    folders: dict[Path, What] = {}
    beside: Mapping[Path, frozenset[str]] = {}
    if not sources:
        modules, beside = with_local_imports(files_of(module))
        for each in modules:
            found |= each.files
            folders |= dict.fromkeys(each.folders, "modules")
    else:
        found[file.name] = file
    for given in sources:
        named = folder / given
        if not named.exists():
            raise SourceError(f"sources has {given!r}, and there is no {named}")
        inside: Iterable[Path] = [named]
        if named.is_dir():
            folders[named] = "all"
            inside = files_in(named)
        found |= {os.path.relpath(path, folder): path for path in inside}
    return _digested(found, folders, beside, folder.resolve())


def is_as_it_was(
    files: Mapping[str, str], folders: Mapping[str, str], beside: Mapping[str, Iterable[str]]
) -> bool:
    """Whether files, by path, still have these SHA-256, and folders hold no others.

    Args:
        folders, beside: as those of a `Code`.
    """
    if any(names_in(Path(folder)) != set(names) for folder, names in beside.items()):
        return False
    for folder, what in folders.items():
        inside = files_in(Path(folder)) if what == "all" else modules_in(Path(folder))
        if not all(str(path) in files for path in inside):
            return False
    try:
        return all(sha256_of(Path(path)) == sha256 for path, sha256 in files.items())
    except OSError:
        return False


def sha256_of(path: Path) -> str:
    """Of a file's content. Raises OSError."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _digested(
    files: dict[str, Path],
    folders: dict[Path, What],
    beside: Mapping[Path, frozenset[str]],
    home: Path,
) -> Code:
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
    return Code(digest.hexdigest(), each, home, files, folders, beside)
