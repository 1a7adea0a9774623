"""What can be wrong with a name, or with the package that brings it.

UnknownNameError    a name that no registry has
PluginError         a package whose name for something is taken, or that cannot be imported

Both are ValueErrors, so that pydantic places them where the name stands in a config.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UnknownNameError(ValueError):
    """A name that a registry lacks; the message lists those it has, the nearest first."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        super().__init__(f"unknown {kind} {name!r}{hint} (known: {', '.join(names) or 'none'})")
        self.name = name
        self.known = names


class PluginError(ValueError):
    """An installed package breaks a rule of plug-ins; the message names it and its entry point."""
