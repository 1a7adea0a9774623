"""A spec's text as plain data, with the line and column of every value.

Read by ruamel.yaml's safe loader (YAML 1.2: 1e-3 is a number, `no` is a string). Size, depth and
alias expansion are bounded while the text is read, so that no spec can exhaust the machine, and
what is wrong is known within a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from sweep_plugins.schemes.exact_numbers import exact
from sweeper.errors import Place, SpecError
from trainers.errors import ConfigError

LARGEST_FILE = 250_000
"""Bytes."""

MOST_VALUES = 8_000
"""Keys and values in a spec, an alias counted as often as it is used."""

DEEPEST_NESTING = 40

LARGEST_WHOLE = 2**4096
"""Larger ones Python may refuse to convert to text, as messages need."""

LONGEST_MESSAGE = 500

DICT = "<dict>"
"""What a spec is called that Python code gives as a dict."""

EXTENDS = "extends"
"""The key of a spec that names those it starts from."""

SpecPath = tuple[str | int, ...]
"""Keys and list positions from the top of a spec to one value."""

_YAML_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset(_YAML_TAG + kind for kind in ("null", "bool", "int", "float", "str"))

_YAML_VERSION = (1, 2)

_SPELLINGS = {"bool": ("true", "false"), "null": ("", "~", "null")}
"""In lower case; an explicit tag, as in `!!bool yes`, would make these of any text."""

_KEY = "<key>"
"""In the path of a key, while that is read."""

_TOO_DEEP = f"nested too deeply (more than {DEEPEST_NESTING} levels)"
_TOO_MANY = f"more than {MOST_VALUES:,} keys and values"

_LONGEST_SHOWN = 80

_LINE_BREAK = re.compile(r"\r\n?|\n")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
"""Characters that YAML can escape, and no file, database or terminal accepts."""


@dataclass
class SpecSource:
    """A spec as it was read.

    Attributes:
        name: of the file, for messages.
        text: the YAML as written.
        data: the same as dicts, lists and scalars.
        places: where each value stands; the place of a mapping's value is that of its key.
        values: how many keys and values there are.
    """

    name: str
    text: str
    data: dict[str, Any]
    places: dict[SpecPath, Place]
    values: int = 0

    def place(self, path: SpecPath) -> Place:
        """Where the value at `path` stands, or the nearest one above it that is in the file."""
        lengths = range(len(path), -1, -1)  # the empty path is the whole file
        return next(self.places[path[:n]] for n in lengths if path[:n] in self.places)

    def inherited(self, path: SpecPath) -> bool:
        """Whether the value at `path` stands in another file, that this spec extends."""
        place = self.place(path)
        return place.file != self.name and place.line is not None

    @contextmanager
    def placing_errors(self) -> Iterator[None]:
        """A ConfigError inside the block becomes a SpecError at the line and column of its path."""
        try:
            yield
        except ConfigError as error:
            raise refusal(self.place(error.path), str(error)) from error.__cause__


def refusal(place: Place, message: str) -> SpecError:
    """The error with this message in one line of bounded length, whatever value it quotes."""
    return SpecError(place, in_one_line(message))


def in_one_line(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """The text without control characters; shortened in the middle if too long.

    In the middle, because a message ends with the remedy.
    """
    head, tail = text, ""
    if len(text) > longest:
        head, tail = text[: longest * 2 // 3], text[-(longest // 3) :]
    shown = _without_controls(head)
    return f"{shown} ... {_without_controls(tail)}" if tail else shown


def _without_controls(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def place_after(text: str, name: str) -> Place:
    """The place in a file that the text leads to."""
    breaks = list(_LINE_BREAK.finditer(text))
    start = breaks[-1].end() if breaks else 0
    return Place(name, len(breaks) + 1, len(text) - start + 1)


def parse_spec(text: str, name: str) -> SpecSource:
    """Parse the text of a spec called `name`. Raises SpecError with line and column.

    Of a dict, which has neither, the place of a value is its path.
    """
    node = _compose(text, name)
    if not isinstance(node, MappingNode):
        raise refusal(
            Place(name, 1, 1), "a spec is a mapping of keys to values, such as model: zerosnet"
        )
    reader = _Reader(name)
    try:
        data = reader.read(node, (), 0)
    except SpecError as error:
        if name != DICT:
            raise
        raise SpecError(_in_dict([*reader.places][-1]), error.message) from None
    places = {path: _in_dict(path) for path in reader.places} if name == DICT else reader.places
    return SpecSource(name, text, data, places, reader.values)


def _in_dict(path: SpecPath) -> Place:
    return Place(DICT, key=".".join(str(part) for part in path if part != _KEY) or None)


def parse_value(text: str, name: str) -> Any:
    """One value in YAML, as after `--set path=`. Raises SpecError, without line and column."""
    try:
        node = _compose(text, name)
        return None if node is None else _Reader(name).read(node, (), 0)
    except SpecError as error:
        raise SpecError(Place(name), error.message) from None


def _compose(text: str, name: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _Composer
    try:
        node: Node | None = yaml.compose(text)
    except _NoSpecError as error:
        raise refusal(_place(error.problem_mark, name), error.problem) from None
    except MarkedYAMLError as error:
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise refusal(_place_of_error(error, text, name), f"not valid YAML: {problem}") from None
    except ReaderError as error:
        raise refusal(
            place_after(text[: error.position], name),
            f"not valid YAML: {text[error.position]!r} is not a character of YAML; remove it",
        ) from None
    return node


def _place_of_error(error: MarkedYAMLError, text: str, name: str) -> Place:
    """Where the problem is, or where the construct began that the text does not close."""
    content = text.rstrip()
    for mark in (error.problem_mark, error.context_mark):
        if mark and mark.index < len(content):
            return _place(mark, name)
    return place_after(content, name)


class _NoSpecError(MarkedYAMLError):
    """The text may be YAML, but exceeds the limits of a spec."""


class _Composer(Composer):
    """Stops at the first node that is one too many or too deep, however much text follows it."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader=loader)
        # YAML allows an anchor to be redefined; an alias refers to the latest definition.
        self.warn_double_anchors = False
        self._nodes = 0
        self._levels = 0

    def get_single_node(self) -> Any:
        try:
            return super().get_single_node()
        except (ValueError, LookupError):
            # ruamel.yaml lets them out for "\U00110000", and for %YAML 2.0 after the first line.
            problem = "not valid YAML: this cannot be parsed"
            mark = self.loader.reader.get_mark()
            raise _NoSpecError(problem=problem, problem_mark=mark) from None

    def compose_document(self) -> Any:
        event = self.parser.peek_event()
        if event.version not in (None, _YAML_VERSION):
            # In an older one `no` is false, 1e-3 a text, and 1:30 the number 90.
            written = ".".join(map(str, event.version))
            problem = f"a spec is YAML 1.2, not {written}: remove the line %YAML"
            raise _NoSpecError(problem=problem, problem_mark=event.start_mark)
        return super().compose_document()

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._nodes += 1
        self._levels += 1
        if self._nodes > MOST_VALUES or self._levels > DEEPEST_NESTING + 1:
            problem = f"{_TOO_MANY}; split the spec" if self._nodes > MOST_VALUES else _TOO_DEEP
            mark = self.parser.peek_event().start_mark
            raise _NoSpecError(problem=problem, problem_mark=mark)
        node = super().compose_node(parent, index)
        self._levels -= 1
        return node


class _Reader:
    """Builds plain data from YAML nodes; one for each document."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.values = 0
        self._open: set[int] = set()
        self._constructor = YAML(typ="safe", pure=True).constructor
        self.places: dict[SpecPath, Place] = {}

    def read(self, node: Node, path: SpecPath, depth: int) -> Any:
        place = _place(node.start_mark, self._name)
        self.values += 1
        if self.values > MOST_VALUES:
            # Nodes do not know where an alias to them is, but the key around it is known.
            raise refusal(
                self.places.get(path[:1], place),
                f"{_TOO_MANY} once its aliases are expanded; write a smaller spec",
            )
        if depth > DEEPEST_NESTING:
            raise refusal(place, _TOO_DEEP)
        if id(node) in self._open:
            raise refusal(place, "an alias (*) here is inside its own anchor (&)")
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
            raise refusal(place, _foreign(node))
        self._open.remove(id(node))
        return value

    def _scalar(self, node: ScalarNode, place: Place) -> Any:
        if node.tag not in _SCALAR_TAGS:
            raise refusal(place, _foreign(node))
        kind = node.tag.removeprefix(_YAML_TAG)
        try:
            value = self._constructor.construct_object(node)
        except (ValueError, LookupError, ArithmeticError, YAMLError):
            raise refusal(place, f"{shortened(node.value)} cannot be read as {kind}") from None
        if kind in _SPELLINGS and node.value.lower() not in _SPELLINGS[kind]:
            raise refusal(place, f"{shortened(node.value)} cannot be read as {kind}")
        if isinstance(value, float) and isfinite(value):
            return _with_every_digit(value, node.value, place)
        if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
            raise refusal(place, f"{shortened(node.value)} has more digits than any number here")
        return self._text(value, place) if isinstance(value, str) else value

    def _text(self, value: str, place: Place) -> str:
        if not _NO_TEXT.search(value):
            return value
        # JSON writes a character beyond U+FFFF as two escapes, and every JSON text is YAML.
        joined = value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        if found := _NO_TEXT.search(joined):
            raise refusal(
                place, f"{found[0]!r} in {shortened(value)} is no character of a text; remove it"
            )
        return joined

    def _mapping(self, node: MappingNode, path: SpecPath, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node.start_mark, self._name)
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise refusal(place, "merge keys (<<) are not supported; write the keys out")
            key = self.read(key_node, (*path, _KEY), depth + 1)
            if not isinstance(key, str):
                raise refusal(place, f"{shortened(key)} is not a key: keys are text; quote it")
            if key in result:
                first = self.places[(*path, key)]
                raise refusal(
                    place, f"duplicate key {key!r}: it is already on line {first.line}; keep one"
                )
            self.places[(*path, key)] = place
            result[key] = self.read(value_node, (*path, key), depth + 1)
        return result


def _with_every_digit(value: float, written: str, place: Place) -> float | str:
    """The float, or the text where the float does not stand for what it says.

    Fields of numbers take texts too, and the coefficients of a scheme keep every digit.
    """
    try:
        number = exact(written.replace("_", ""))
    except ValueError as error:
        raise refusal(place, str(error)) from None
    return value if exact(value) == number else written.replace("_", "")


def _foreign(node: Node) -> str:
    if node.tag == _YAML_TAG + "timestamp":
        return f"{shortened(node.value)} is a date, and a spec has none: for text, put it in quotes"
    return f"{node.tag} is not allowed: a spec holds plain numbers, texts, lists and mappings"


def shortened(value: Any) -> str:
    """The value as Python writes it, of bounded length."""
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _place(mark: Any, name: str) -> Place:
    return Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
