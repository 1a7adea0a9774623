"""The code of a trainer, whose hash is part of what decides a result."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from trainers.errors import TrainerError

OWN_PACKAGES = frozenset({"trainers", "sweeper", "results", "sweep_plugins"})
"""What is of this project has a version of its own, RECIPE_VERSION, which says what changed."""

_MOST_BYTES = 2**28


def source_of(function: Any, sources: Iterable[str] = ()) -> tuple[str | None, dict[str, str]]:
    """The SHA-256 of the code of a function's package, and that of each of its files by name.

    Of a module that is in no package, the module's file alone. `sources` are further files and
    folders, relative to the file; of a folder everything but caches counts. None, and no files,
    for what is of this project, or was not read from a file.

    Raises TrainerError if one of `sources` is not there, or all of it is more than 256 MiB.
    """
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return None, {}
    top = module.__name__.partition(".")[0]
    if top in OWN_PACKAGES:
        return None, {}
    home = Path(file).resolve().parent
    package = getattr(sys.modules.get(top), "__path__", None)
    found: dict[str, Path] = {}
    if package:
        for root in map(Path, package):
            found |= {f"{top}/{path.relative_to(root)}": path for path in _code(root)}
    else:
        found[Path(file).name] = Path(file)
    for given in sources:
        place = home / given
        if not place.exists():
            raise TrainerError(f"sources has {given!r}, and there is no {place}")
        inside = _everything(place) if place.is_dir() else [place]
        found |= {os.path.relpath(path, home): path for path in inside}
    return _digests(found)


def home_of(function: Any) -> Path:
    """The folder of the file of a function that `source_of` knows the code of."""
    return Path(str(sys.modules[function.__module__].__file__)).resolve().parent


def _code(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*.py")) if path.is_file())


def _everything(root: Path) -> Iterator[Path]:
    return (
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    )


def _digests(files: dict[str, Path]) -> tuple[str, dict[str, str]]:
    each: dict[str, str] = {}
    digest = hashlib.sha256()
    left = _MOST_BYTES
    for name, path in sorted(files.items()):
        content = path.read_bytes()
        left -= len(content)
        if left < 0:
            raise TrainerError(
                f"the code of the trainer has more than {_MOST_BYTES >> 20} MiB ({path}): name the"
                " files that decide its results in sources, or move its package away from the data"
            )
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
        each[name] = hashlib.sha256(content).hexdigest()
    return digest.hexdigest(), each
