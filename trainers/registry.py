"""Registries that resolve a name from a spec, extensible by entry points.

A registry is written out in one place, so that a reader sees every valid name at once. Another
package adds names by an entry point in the registry's group, without a change here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from trainers.errors import UnknownNameError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """An immutable mapping from names to `T`; entry points of `group` are read at first use.

    Args:
        kind: what an entry is, for messages ("model", "dataset").
        group: the entry-point group that extends it, e.g. `sweep.models`.
        entries: the names that ship with this project.
    """

    def __init__(self, kind: str, group: str, entries: Mapping[str, T]) -> None:
        self._kind = kind
        self._group = group
        self._entries = dict(entries)
        self._extended = False

    def _all(self) -> dict[str, T]:
        if not self._extended:
            for point in entry_points(group=self._group):
                if point.name in self._entries:
                    raise ValueError(
                        f"{self._kind} {point.name!r} is defined twice: here and by the entry "
                        f"point {point.value!r} of group {self._group!r}"
                    )
                self._entries[point.name] = point.load()
            self._extended = True
        return self._entries

    def __getitem__(self, name: str) -> T:
        """Raises UnknownNameError, which lists the valid names."""
        entries = self._all()
        if name not in entries:
            raise UnknownNameError(self._kind, name, entries)
        return entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
