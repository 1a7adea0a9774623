"""What can be wrong with a name, or with the package that brings it.

UnknownNameError    a name that no registry has
PluginError         a package whose name for something is taken, or that cannot be imported
SourceError         code whose files cannot be told

All are ValueErrors, so that pydantic places them where the name stands in a config.
"""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable

_LONGEST = 2_000
"""Characters of the text of a foreign exception."""


def path_to(name: str, known: Iterable[str]) -> str | None:
    """The shortest of the known dotted paths that end in this name, such as options.lr for lr."""
    ending = (path for path in known if path.endswith(f".{name}"))
    return min(ending, key=lambda path: path.count("."), default=None)


def nearest(name: str, known: Iterable[str], *, alike: float = 0.6) -> str | None:
    """What is meant: a path that ends in this name, what is most like it, or what begins with it.

    `alike` is how near it has to be: 1 is equal, 0 has nothing in common.
    """
    names = list(known)
    found = path_to(name, names)
    if found is None:
        # One of two letters may be wrong, which are then half alike.
        cutoff = 0.5 if len(name) == 2 else alike
        found = next(iter(difflib.get_close_matches(name, names, n=1, cutoff=cutoff)), None)
    if found is None and name:
        found = min((n for n in names if n.startswith(name)), key=len, default=None)
    return found


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: "; did you mean 'resnet'?", or nothing."""
    return meaning(nearest(name, known))


def meaning(found: str | None) -> str:
    """The same with what is meant, if that is known."""
    return f"; did you mean {found!r}?" if found else ""


class UnknownNameError(ValueError):
    """A name that a registry lacks; the message lists those it has, the nearest first."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        hint = did_you_mean(name, names)
        super().__init__(f"unknown {kind} {name!r}{hint} (known: {', '.join(names) or 'none'})")
        self.name = name
        self.known = names


class PluginError(ValueError):
    """An installed package breaks a rule of plug-ins; the message names it and its entry point."""


class SourceError(ValueError):
    """The files of a trainer's or a plug-in's code are not there, or are too many."""


def import_error(error: BaseException) -> str:
    """One line about an import that failed, with the last line of the imported code it reached."""
    text = f"{type(error).__name__}: {_said_by(error)}"
    frames = traceback.extract_tb(error.__traceback__)
    python = [any(name in f.filename for name in ("importlib", "pkgutil")) for f in frames]
    start = python.index(True) if True in python else 0
    code = [f for f, skipped in zip(frames[start:], python[start:], strict=True) if not skipped]
    return f"{text} ({code[-1].filename}:{code[-1].lineno})" if code else text


def _said_by(error: BaseException) -> str:
    """On one line; its class may be the imported code's own, and do anything."""
    try:
        said = " ".join(str(error).split())
    except Exception as another:
        return f"(its text could not be made: {type(another).__name__})"
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
