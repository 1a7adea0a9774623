"""A mapping from names to what they stand for, written out in one place and open to plug-ins.

Another package adds a name by an entry point in the registry's group, without a change here. It is
imported when its name is used, and not before.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from sweep_plugins.errors import PluginError, SourceError, UnknownNameError, import_error

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from sweep_plugins.source import Code

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """An immutable mapping. To know its names, no plug-in is imported.

    Args:
        kind: what an entry is, for messages ("model", "dataset").
        group: of the entry points that extend it, such as "sweep.models".
        entries: what ships with this project: the entry itself, or "module:attribute", imported
            when its name is used.
        instance_of: the class of every entry, or several.
        subclass_of: what every entry is a subclass of, where entries are classes.
        unknown: what is raised for a name that it lacks.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        entries: Mapping[str, T | str],
        *,
        instance_of: type[Any] | tuple[type[Any], ...] = object,
        subclass_of: type[Any] | None = None,
        unknown: type[UnknownNameError] = UnknownNameError,
    ) -> None:
        self.kind = kind
        self.group = group
        self.own = entries
        self._instance_of = instance_of
        self._subclass_of = subclass_of
        self._unknown = unknown
        self._known: dict[str, T] = {}
        self._code: dict[str, Code | None] = {}

    def __getitem__(self, name: str) -> T:
        """Raises UnknownNameError, and PluginError if the name's package breaks a rule."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def check(self, name: str) -> None:
        """Raises as the name's use does, and imports a plug-in, but nothing that ships with us."""
        if self._point(name) is not None:
            self[name]

    def package(self, name: str) -> str | None:
        """What brings this name, such as "sweep-example 1.0"; None for what ships with us.

        Raises UnknownNameError, and PluginError if the name is taken.
        """
        point = self._point(name)
        return _package(point) if point else None

    def module(self, name: str) -> str | None:
        """The module that the entry point of this name is in; None for what ships with us.

        Raises UnknownNameError, and PluginError if the name is taken.
        """
        point = self._point(name)
        return None if point is None else point.module

    def code(self, name: str) -> Code | None:
        """The code of the plug-in that brings this name; None for what ships with us.

        The module of its entry point and what the entry names as `sources`, relative to that; or
        else the module's whole package. The plug-in is imported.

        Raises UnknownNameError and PluginError.
        """
        if name in self.own:
            return None
        if name not in self._code:
            self._code[name] = self._find_code(name)
        return self._code[name]

    def _find_code(self, name: str) -> Code | None:
        # Deferred, because most runs use no plug-in.
        from sweep_plugins.source import code_of

        point, sources = self._point(name), getattr(self[name], "sources", ())
        if point is None:
            return None
        try:
            return code_of(point.module, sources)
        except SourceError as error:
            raise PluginError(f"{_described(point)}: {error}") from error

    def shipped(self, name: str) -> T:
        """The built-in entry of this name, even if a plugin takes the name. Raises KeyError."""
        own = self.own[name]
        return cast(T, pkgutil.resolve_name(own) if isinstance(own, str) else own)

    def _find(self, name: str) -> T:
        point = self._point(name)
        if point is None:
            return self.shipped(name)
        try:
            found = point.load()
        except (Exception, SystemExit) as error:  # importing it may do anything
            raise PluginError(
                f"{_described(point)} cannot be imported: {import_error(error)}"
            ) from error
        self._check(point, found)
        return cast(T, found)

    def _point(self, name: str) -> EntryPoint | None:
        points = [point for point in self._points() if point.name == name]
        if name in self.own:
            if points:
                raise PluginError(
                    f"{_described(points[0])} takes a name that is sweep's own: uninstall that"
                    " package, or rename its entry point"
                )
            return None
        if not points:
            raise self._unknown(self.kind, name, self)
        if len(points) > 1:
            raise PluginError(
                f"{self.kind} {name!r} is in {len(points)} packages:"
                f" {' and '.join(map(_described, points))}; uninstall all but one"
            )
        return points[0]

    def _points(self) -> list[EntryPoint]:
        return _points_of(self.group)

    def added(self) -> list[str]:
        """The names that plug-ins bring, sorted, none twice."""
        return sorted({point.name for point in self._points()})

    def _check(self, point: EntryPoint, found: object) -> None:
        if self._subclass_of is None:
            fits, wanted = isinstance(found, self._instance_of), self._instance_of
            relation = "an instance"
        else:
            fits = isinstance(found, type) and issubclass(found, self._subclass_of)
            wanted, relation = self._subclass_of, "a subclass"
        if not fits:
            classes = wanted if isinstance(wanted, tuple) else (wanted,)
            names = " or ".join(f"{c.__module__}.{c.__qualname__}" for c in classes)
            raise PluginError(
                f"{_described(point)} is {found!r:.80}, and not {relation} of {names}"
            )

    def __contains__(self, name: object) -> bool:
        return name in self.own or any(point.name == name for point in self._points())

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self.own, *self.added()]))

    def __len__(self) -> int:
        return len(list(iter(self)))


@cache
def _entry_points() -> Any:
    # Deferred, because a process without registries imports this package too.
    from importlib.metadata import entry_points

    # Once for all registries: every installed package is looked at.
    return entry_points()


@cache
def _points_of(group: str) -> list[EntryPoint]:
    return list(_entry_points().select(group=group))


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a package"


def _described(point: EntryPoint) -> str:
    return f"plug-in {_package(point)} ({point.group}: {point.name} = {point.value})"
