"""The specs that come with this program: one for each published table, and those for a laptop."""

from __future__ import annotations

import difflib
from pathlib import Path

from sweeper.errors import ResourceError

SHIPPED_SUFFIX = " (shipped)"
"""What the name of a shipped spec ends with, where others have the path of a file."""

_FOLDER = Path(__file__).parents[1] / "specs"


def shipped_specs() -> dict[str, Path]:
    """The files of the shipped specs by name, in alphabetical order.

    Raises ResourceError if there are none: in a checkout their folder is a symbolic link.
    """
    found = _find()
    if not found:
        raise ResourceError(
            f"{_FOLDER} has no specs: sweep was installed from a checkout without symbolic links;"
            " allow them (git config core.symlinks true), check out and install again"
        )
    return found


def _find() -> dict[str, Path]:
    return {path.stem: path for path in sorted(_FOLDER.glob("*.yaml"))}


def shipped_spec(path: Path) -> Path | None:
    """The shipped spec that is meant by this argument of a command; a file of that name wins."""
    found = _find().get(str(path))
    return found if found is not None and (path.is_dir() or not path.exists()) else None


def shipped_spec_named(name: str) -> str | None:
    """The text of the shipped spec of this name, which may end in .yaml; None if there is none."""
    found = _find().get(name.removesuffix(".yaml"))
    return None if found is None else found.read_text("utf-8")


def shipped_hint(path: Path) -> str:
    """What to say of shipped specs where there is no file at `path`; begins with a semicolon."""
    names = _find()
    if path.stem in names:
        name = path.stem
        return f"; {name} is a shipped spec: name it so, or have the file by sweep init FOLDER"
    if path.name != str(path) or path.suffix:
        return ""
    nearest = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(nearest)}? " if nearest else ""
    return f"; {hint}sweep specs lists the names of those that are shipped"
