"""A spec's text as plain data, with the line and column of every value.

Read by ruamel.yaml's safe loader (YAML 1.2: 1e-3 is a number, `no` is a string). Size, depth and
alias expansion are bounded before anything is built, so that no spec can exhaust the machine.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from sweeper.errors import Place, RequestError, SpecError

LARGEST_FILE = 1_000_000
"""Bytes."""

MOST_VALUES = 200_000
"""Values in a spec, an alias counted as often as it is used."""

DEEPEST_NESTING = 40

SpecPath = tuple[str | int, ...]
"""Keys and list positions from the top of a spec to one value."""

_YAML_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_YAML_TAG + kind for kind in ("null", "bool", "int", "float", "str"))

_TOO_DEEP = f"nested too deeply (more than {DEEPEST_NESTING} levels)"

_LONGEST_SHOWN = 80


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
        with path.open("rb") as file:
            # Bounded here and not by the size that the file system tells: a pipe has none.
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise RequestError(f"{path}: there is no such file{_nearby(path)}") from None
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}{_nearby(path)}") from None
    if len(content) > LARGEST_FILE:
        raise RequestError(
            f"{path}: more than the {LARGEST_FILE:,} bytes that a spec may have; "
            "split it into several specs"
        )
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        raise SpecError(
            _place_after(before, str(path)),
            f"byte 0x{content[error.start]:02x} is not UTF-8 text; save the spec as UTF-8",
        ) from None
    return parse_spec(text, str(path))


def _place_after(text: str, name: str) -> Place:
    return Place(name, text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)


def _nearby(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    try:
        specs = sorted(str(p) for p in folder.glob("*.yaml"))
    except OSError:
        specs = []
    return f"; specs there: {', '.join(specs)}" if specs else ""


def parse_spec(text: str, name: str) -> SpecSource:
    """Parse the text of a spec called `name`. Raises SpecError with line and column."""
    node = _compose(text, name)
    if not isinstance(node, MappingNode):
        raise SpecError(
            Place(name, 1, 1), "a spec is a mapping of keys to values, such as model: zerosnet"
        )
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
        with warnings.catch_warnings():
            # YAML allows an anchor to be set anew; the next alias means the newest.
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            node: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise SpecError(place, f"not valid YAML: {problem}") from None
    except ReaderError as error:
        raise SpecError(
            _place_after(text[: error.position], name),
            f"not valid YAML: {text[error.position]!r} is not a character of YAML; remove it",
        ) from None
    except YAMLError as error:
        raise SpecError(Place(name), f"not valid YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise SpecError(_too_deep_place(text, name), _TOO_DEEP) from None
    return node


def _too_deep_place(text: str, name: str) -> Place:
    # Events, unlike nodes, come without recursion.
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent)
        depth -= isinstance(event, CollectionEndEvent)
        if depth > DEEPEST_NESTING:
            return Place(name, event.start_mark.line + 1, event.start_mark.column + 1)
    return Place(name)


class _Reader:
    """Builds plain data from YAML nodes; one for each document."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values = 0
        self._open: set[int] = set()
        self._constructor = YAML(typ="safe", pure=True).constructor
        self.places: dict[SpecPath, Place] = {}

    def read(self, node: Node, path: SpecPath, depth: int) -> Any:
        place = _place(node, self._name)
        self._values += 1
        if self._values > MOST_VALUES:
            # Nodes do not tell where an alias to them stands, but the key around it is known.
            raise SpecError(
                self.places.get(path[:1], place),
                f"more than {MOST_VALUES:,} values once its aliases are expanded; "
                "write a smaller spec",
            )
        if depth > DEEPEST_NESTING:
            raise SpecError(place, _TOO_DEEP)
        if id(node) in self._open:
            raise SpecError(place, "an alias (*) here stands inside its own anchor (&)")
        self.places.setdefault(path, place)
        if isinstance(node, ScalarNode):
            return self._scalar(node, place)
        self._open.add(id(node))
        value: Any
        if isinstance(node, MappingNode) and node.tag == _YAML_TAG + "map":
            value = self._mapping(node, path, depth)
        elif isinstance(node, SequenceNode) and node.tag == _YAML_TAG + "seq":
            value = [self.read(item, (*path, i), depth + 1) for i, item in enumerate(node.value)]
        else:
            raise SpecError(place, _foreign(node))
        self._open.remove(id(node))
        return value

    def _scalar(self, node: ScalarNode, place: Place) -> Any:
        if node.tag not in _SCALAR_TAGS:
            raise SpecError(place, _foreign(node))
        try:
            return self._constructor.construct_object(node)
        except (ValueError, LookupError, YAMLError):
            kind = node.tag.removeprefix(_YAML_TAG)
            raise SpecError(place, f"{_short(node.value)} cannot be read as {kind}") from None

    def _mapping(self, node: MappingNode, path: SpecPath, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node, self._name)
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise SpecError(place, "merge keys (<<) are not supported; write the keys out")
            key = self.read(key_node, (*path, "<key>"), depth + 1)
            if not isinstance(key, str):
                raise SpecError(place, f"{_short(key)} is not a key: keys are text; quote it")
            if key in result:
                first = self.places[(*path, key)]
                raise SpecError(
                    place, f"duplicate key {key!r}: it is already on line {first.line}; keep one"
                )
            self.places[(*path, key)] = place
            result[key] = self.read(value_node, (*path, key), depth + 1)
        return result


def _foreign(node: Node) -> str:
    if node.tag == _YAML_TAG + "timestamp":
        return f"{_short(node.value)} is a date, and a spec has none: for text, put it in quotes"
    return f"{node.tag} is not allowed: a spec holds plain numbers, texts, lists and mappings"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _place(node: Node, name: str) -> Place:
    mark = node.start_mark
    return Place(name, mark.line + 1, mark.column + 1)
