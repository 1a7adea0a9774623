"""A spec's text as plain data, with the line and column of every value.

Read by ruamel.yaml's safe loader (YAML 1.2: 1e-3 is a number, `no` is a string). Size, depth and
alias expansion are bounded before anything is built, so that no spec can exhaust the machine.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sweeper.errors import Place, RequestError, SpecError

LARGEST_FILE = 1_000_000
"""Bytes."""

MOST_VALUES = 200_000
"""Values in a spec, an alias counted as often as it is used."""

DEEPEST_NESTING = 40

SpecPath = tuple[str | int, ...]
"""Keys and list positions from the top of a spec to one value."""

_PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "map", "seq")
)


@dataclass
class SpecSource:
    """A spec as it was read.

    Attributes:
        name: of the file, for messages.
        text: the YAML as written.
        data: the same as dicts, lists and scalars.
        places: where each value stands; the place of a mapping's value is that of its key.
    """

    name: str
    text: str
    data: dict[str, Any]
    places: dict[SpecPath, Place] = field(default_factory=dict)

    def place(self, path: SpecPath) -> Place:
        """Where the value at `path` stands, or the nearest one above it that is in the file."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(self.name)

    def error(self, path: SpecPath, message: str) -> SpecError:
        return SpecError(self.place(path), message)


def read_spec_file(path: Path) -> SpecSource:
    """Raises RequestError if the file is missing or too large, SpecError if it is no mapping."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise RequestError(
                f"{path}: {size:,} bytes is more than a spec may have ({LARGEST_FILE:,}); "
                "split it into several specs"
            )
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RequestError(f"{path}: there is no such file{_nearby(path)}") from None
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_spec(text, str(path))


def _nearby(path: Path) -> str:
    try:
        specs = sorted(str(p) for p in path.parent.glob("*.yaml"))
    except OSError:
        specs = []
    return f"; specs there: {', '.join(specs)}" if specs else ""


def parse_spec(text: str, name: str) -> SpecSource:
    """Parse the text of a spec called `name`. Raises SpecError with line and column."""
    node = _compose(text, name)
    if not isinstance(node, MappingNode):
        raise SpecError(Place(name, 1, 1), "a spec is a mapping of keys to values")
    reader = _Reader(name)
    data = reader.read(node, (), 0)
    return SpecSource(name=name, text=text, data=data, places=reader.places)


def parse_value(text: str, name: str) -> Any:
    """One value in YAML, as after `--set path=`."""
    node = _compose(text, name)
    return None if node is None else _Reader(name).read(node, (), 0)


def _compose(text: str, name: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    try:
        node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise SpecError(place, f"not valid YAML: {problem}") from None
    except YAMLError as error:
        raise SpecError(Place(name), f"not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise SpecError(
            Place(name), f"nested too deeply (more than {DEEPEST_NESTING} levels)"
        ) from None
    return node


class _Reader:
    """Builds plain data from YAML nodes; one for each document."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values = 0
        self._constructor = YAML(typ="safe", pure=True).constructor
        self.places: dict[SpecPath, Place] = {}

    def read(self, node: Node, path: SpecPath, depth: int) -> Any:
        place = _place(node, self._name)
        self._values += 1
        if self._values > MOST_VALUES:
            raise SpecError(
                place,
                f"more than {MOST_VALUES:,} values once its aliases are expanded; "
                "write a smaller spec",
            )
        if depth > DEEPEST_NESTING:
            raise SpecError(place, f"nested too deeply (more than {DEEPEST_NESTING} levels)")
        if node.tag not in _PLAIN_TAGS:
            raise SpecError(
                place, f"{node.tag} is not allowed: a spec holds plain numbers, texts and lists"
            )
        self.places.setdefault(path, place)
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, SequenceNode):
            return [self.read(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        try:
            return self._constructor.construct_object(node)
        except (ValueError, YAMLError) as error:
            raise SpecError(place, f"{node.value!r} cannot be read: {error}") from None

    def _mapping(self, node: MappingNode, path: SpecPath, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node, self._name)
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise SpecError(place, "merge keys (<<) are not supported; write the keys out")
            key = self.read(key_node, (*path, "<key>"), depth + 1)
            if not isinstance(key, Hashable) or not isinstance(key, str):
                raise SpecError(place, f"{key!r} is not a key: keys are text")
            if key in result:
                first = self.places[(*path, key)]
                raise SpecError(
                    place, f"duplicate key {key!r}: it is already on line {first.line}; keep one"
                )
            self.places[(*path, key)] = place
            result[key] = self.read(value_node, (*path, key), depth + 1)
        return result


def _place(node: Node, name: str) -> Place:
    mark = node.start_mark
    return Place(name, mark.line + 1, mark.column + 1)
