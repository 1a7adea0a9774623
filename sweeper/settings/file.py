"""`sweep.toml`: settings for all commands that are given in a folder, and for its specs.

Not imported by commands unless there is such a file.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from sweep_plugins.url_secrets import HOLDS_SECRET, holds_secret, quotes_secret
from sweeper.errors import Place, RequestError
from sweeper.home import expanded
from sweeper.settings.names import DEFAULTS
from sweeper.spec.resources import Resources
from sweeper.spec.source import SpecPath, SpecSource, in_one_line, refusal
from sweeper.spec.validation import explain
from trainers.errors import ConfigError

LARGEST_FILE = 20_000
"""Bytes."""

_Text = Annotated[str, Field(min_length=1)]
_PARSING_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_SQLITE = ("sqlite", "sqlite+pysqlite")


class _Keys(BaseModel):
    """What may stand in the file, by the names that the options have."""

    model_config = ConfigDict(extra="forbid", strict=True)

    home: _Text | None = None
    db: _Text | None = Field(default=None, validation_alias=AliasChoices("db", "database"))
    storage: _Text | None = None
    executor: _Text | None = None
    ray_address: _Text | None = None
    ray_dashboard: bool | None = None
    slots: int | None = Field(default=None, ge=1)
    grace: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    device: _Text | None = None
    resources: Resources | None = None


@dataclass(frozen=True)
class SettingsFile:
    """A `sweep.toml` that was read.

    Attributes:
        name: of the file, for messages.
        values: those that it gives; paths are absolute.
        places: where they stand, with the line.
        resources: as the part of a spec that comes before all others; None if it gives none.
    """

    name: str
    values: dict[str, Any]
    places: dict[str, Place]
    resources: SpecSource | None


def read_settings(path: Path) -> SettingsFile:
    """Read the file. Raises SpecError with the line that is wrong, RequestError if there is none.

    A password or a token in it is refused: it is a file that people share.
    """
    name = in_one_line(os.fsencode(path).decode("utf-8", "backslashreplace"))
    text = _read(path, name)
    for number, line in enumerate(text.splitlines(), start=1):
        if quotes_secret(line):
            raise _secret(Place(name, number))
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        where = _PARSING_PLACE.search(str(error))
        place = Place(name, int(where[1]), int(where[2])) if where else Place(name)
        problem = _PARSING_PLACE.sub("", str(error))
        raise refusal(place, f"not valid TOML: {problem[:1].lower()}{problem[1:]}") from None
    places = {path: Place(name, line) for path, line in _lines(text).items()}
    source = SpecSource(name, text, data, {(): Place(name, 1), **places})
    with source.placing_errors():
        keys = _checked(data)
    for key in ("home", "db", "storage", "ray_address"):
        if holds_secret(str(getattr(keys, key) or "")):
            raise _secret(_place_of(source, key))
    folder = Path(os.path.abspath(path.parent))
    values = keys.model_dump(exclude={"resources"}, exclude_none=True)
    values |= {key: _anchored(key, values[key], folder) for key in _PLACES & values.keys()}
    resources = None
    if data.get("resources"):
        inside = {at: place for at, place in places.items() if at[:1] == ("resources",)}
        given = {"resources": data["resources"]}
        resources = SpecSource(name, "", given, inside, 1 + len(data["resources"]))
    return SettingsFile(name, values, {key: _place_of(source, key) for key in values}, resources)


def check_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of Python code by the names in DEFAULTS, without those that are None.

    Raises TypeError for an unknown name, RequestError for a wrong value.
    """
    if unknown := given.keys() - DEFAULTS.keys():
        raise TypeError(f"unexpected options {sorted(unknown)}; there are {', '.join(DEFAULTS)}")
    texts = {
        name: os.fspath(value) if isinstance(value, os.PathLike) else value
        for name, value in given.items()
        if value is not None
    }
    try:
        return _Keys.model_validate(texts).model_dump(exclude_none=True)
    except ValidationError as error:
        raise RequestError(str(explain(error, _Keys, texts))) from None


def _read(path: Path, name: str) -> str:
    if not path.is_file():
        raise RequestError(f"{name} is no file")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise RequestError(f"{name}: cannot be read: {error.strerror}") from None
    if len(content) > LARGEST_FILE:
        raise RequestError(f"{name} has more than the {LARGEST_FILE:,} bytes that it may have")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise refusal(Place(name, line), "not UTF-8 text; save it as UTF-8") from None


def _secret(place: Place) -> RequestError:
    return refusal(
        place,
        f"this {HOLDS_SECRET}, and keep it in ~/.pgpass, or in a variable of the environment such"
        " as SWEEP_DB",
    )


def _checked(data: dict[str, Any]) -> _Keys:
    if "db" in data and "database" in data:
        raise ConfigError("database", "database is db, which is set too; keep one")
    try:
        return _Keys.model_validate(data)
    except ValidationError as error:
        raise explain(error, _Keys, data) from None


def _place_of(source: SpecSource, key: str) -> Place:
    return source.place(("database" if key == "db" and "db" not in source.data else key,))


_PLACES = {"home", "db", "storage"}


def _anchored(key: str, value: str, folder: Path) -> str:
    """A relative path in it is one from its own folder."""
    if key == "db":
        scheme, found, rest = value.partition(":///")
        if not found or scheme not in _SQLITE or rest.startswith(("/", "~")):
            return value
        return f"{scheme}:///{quote(os.fsencode(folder))}/{rest}"
    return value if "://" in value else str(folder / expanded(Path(value)))


def _lines(text: str) -> dict[SpecPath, int]:
    """The line of each key. tomllib keeps none, but parses what begins with one by itself."""
    found: dict[SpecPath, int] = {}
    table, statement, start = "", "", 1
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        statement += line
        header = statement.lstrip().startswith("[")
        try:
            parsed = tomllib.loads(statement if header else f"{table}\n{statement}")
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        if header:
            table = statement
        if statement.strip():
            for path in _paths(parsed):
                found.setdefault(path, start)
        statement, start = "", number + 1
    return found


def _paths(data: Any, path: SpecPath = ()) -> list[SpecPath]:
    inner = (
        [p for key, at in data.items() for p in _paths(at, (*path, key))]
        if (isinstance(data, dict))
        else []
    )
    return [path, *inner] if path else inner
