"""Specs: from YAML to the resolved configs of a sweep's runs.

A spec fixes a base config and varies it along axes (`grid`, `zip`), adds points (`include`) and
leaves points out (`exclude`). An axis is any path into the config, such as `depth` or
`training.optimizer.lr`.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sweeper.errors import SpecError
from sweeper.spec.fault_policies import FaultPolicies
from sweeper.spec.grid import Axis, Grid
from sweeper.spec.overrides import apply_override
from sweeper.spec.points import CONFIG_KEYS, NAMED, ConfigPath, Point, check_key, identity, resolve
from sweeper.spec.source import SpecPath, SpecSource, parse_spec, read_spec_file
from sweeper.spec.validation import explain
from trainers.config.evaluations import EVALUATIONS, EvaluationConfig, key_of_kind, parse_evaluation
from trainers.config.run import RunConfig
from trainers.errors import UnknownNameError
from trainers.methods.fractions import Number

MOST_RUNS = 250_000
"""Points of one spec; refused before anything is expanded."""

SWEEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class Resources(BaseModel):
    """What one run needs of a machine; never part of its identity.

    Attributes:
        cpus: cores, and as many CPU threads (rounded down, at least one).
        gpus: GPUs, also a fraction of one; 0 trains on the CPU.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpus: Number = Field(default=1, gt=0, le=4096)
    gpus: Number = Field(default=0, ge=0, le=1024)

    @field_validator("gpus")
    @classmethod
    def _whole_gpus_or_a_share_of_one(cls, gpus: float) -> float:
        if gpus > 1 and gpus != int(gpus):
            raise ValueError(f"{gpus:g} is neither a share of one GPU nor a whole number of them")
        if 0 < gpus < 0.001:
            raise ValueError(f"{gpus:g} is less than the smallest share of a GPU, 0.001")
        return gpus

    @property
    def device(self) -> str:
        """The kind of torch device that a run trains on."""
        return "cuda" if self.gpus else "cpu"

    @property
    def threads(self) -> int:
        return max(1, int(self.cpus))


@dataclass(frozen=True)
class Spec:
    """A spec that has been read, checked and expanded.

    Attributes:
        name: of the sweep.
        configs: one for each run, in the order of the spec, none twice.
        evaluations: what to measure of each trained network.
        faults: what is done when something goes wrong with a run.
        overrides: the "path=value" that were set on top of the text.
    """

    name: str
    description: str | None
    published: str | None
    configs: tuple[RunConfig, ...]
    evaluations: tuple[EvaluationConfig, ...]
    resources: Resources
    faults: FaultPolicies
    text: str
    source: str
    overrides: tuple[str, ...]


def load_spec(path: Path, overrides: Sequence[str] = ()) -> Spec:
    """Read, check and expand a spec file.

    Raises:
        RequestError: the file is missing or too large.
        SpecError: anything in it, or in an override, is wrong; names file, line and column.
    """
    return _expand(read_spec_file(path), tuple(overrides))


def spec_from_text(text: str, source: str, overrides: Sequence[str] = ()) -> Spec:
    """The same from a text, as the database keeps it. Raises SpecError."""
    return _expand(parse_spec(text, source), tuple(overrides))


class _Layout(BaseModel):
    """The top level of a spec. Config keys are checked later, point by point."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    description: str | None = None
    published: str | None = None
    model: Any = None
    scheme: Any = None
    depth: Any = None
    seed: Any = None
    dataset: Any = None
    training: Any = None
    precision: Any = None
    compile: Any = None
    probes: Any = None
    trainer: Any = None
    grid: dict[str, list[Any]] = {}
    zip: dict[str, list[Any]] | list[dict[str, list[Any]]] = {}
    include: list[dict[str, Any]] = []
    exclude: list[dict[str, Any]] = []
    evaluations: list[dict[str, Any]] = []
    resources: Resources = Resources()
    faults: FaultPolicies = FaultPolicies()


def _expand(source: SpecSource, overrides: tuple[str, ...]) -> Spec:
    for override in overrides:
        apply_override(source, override)
    # None stands for absent in every optional key: `zip:` with nothing after it is no error.
    given = {key: value for key, value in source.data.items() if value is not None}
    try:
        layout = _Layout.model_validate(given)
    except ValidationError as error:
        raise explain(error, _Layout, source, given) from None
    name = Path(source.name).stem if layout.name is None else layout.name
    if not SWEEP_NAME.fullmatch(name):
        raise source.error(
            ("name",),
            f"{name!r} is not a name for a sweep: add name: with letters, digits, '_', '-' and "
            "'.', at most 100, beginning with a letter or digit",
        )
    with no_search_for_cycles():
        configs = _configs(source, layout)
    return Spec(
        name=name,
        description=layout.description,
        published=layout.published,
        configs=configs,
        evaluations=_evaluations(source, layout.evaluations),
        resources=layout.resources,
        faults=layout.faults,
        text=source.text,
        source=source.name,
        overrides=overrides,
    )


def _evaluations(source: SpecSource, given: list[dict[str, Any]]) -> tuple[EvaluationConfig, ...]:
    evaluations: dict[str, EvaluationConfig] = {}
    for index, entry in enumerate(given):
        path: SpecPath = ("evaluations", index)
        key = key_of_kind(entry)
        try:
            evaluation = parse_evaluation(entry)
        except ValidationError as error:
            kind = entry.get(key)
            known = EVALUATIONS[kind].config if kind in list(EVALUATIONS) else None
            raise explain(error, known, source, entry, prefix=path) from None
        except UnknownNameError as error:
            raise source.error((*path, key), str(error)) from None
        except ValueError as error:
            raise source.error(path, str(error)) from None
        if evaluation.evaluation_id in evaluations:
            raise source.error(path, f"evaluation {evaluation.name} is listed twice; keep one")
        evaluations[evaluation.evaluation_id] = evaluation
    return tuple(evaluations.values())


def _configs(source: SpecSource, layout: _Layout) -> tuple[RunConfig, ...]:
    axes = _axes(source, layout)
    _check_count(source, axes, len(layout.include))
    exclusions = _Exclusions(source, layout.exclude)
    base = Point.base(source, {key: getattr(layout, key) for key in CONFIG_KEYS})
    grid = Grid(source, base, axes)
    # What is wrong with one value is found before the product of all is gone through.
    for choice in grid.one_of_each():
        grid.config(choice)
    included = [
        (point, resolve(source, point)) for point in _included(source, base, layout.include)
    ]
    configs: dict[str, RunConfig] = {}

    def add(config: RunConfig, point: Callable[[], Point]) -> None:
        if layout.exclude and exclusions.cover(point(), config):
            return
        try:
            run_id = config.run_id
        except ValueError:
            run_id = identity(source, point(), config)
        configs.setdefault(run_id, config)

    # A spec with neither axes nor included points is one run; include alone is just its points.
    if axes or not included:
        for choice in grid.choices():
            add(grid.config(choice), partial(grid.point, choice))
    for point, config in included:
        add(config, partial(Point.copy, point))
    exclusions.check_all_used()
    if not configs:
        raise source.error(("exclude",), "exclude leaves no run over")
    return tuple(configs.values())


def _axes(source: SpecSource, layout: _Layout) -> list[Axis]:
    groups = layout.zip if isinstance(layout.zip, list) else [layout.zip]
    axes: list[Axis] = []
    seen: dict[ConfigPath, SpecPath] = {}
    named: list[tuple[SpecPath, list[str], dict[str, list[Any]]]] = [
        (("grid", name), [name], {name: values}) for name, values in layout.grid.items()
    ]
    for index, group in enumerate(groups):
        if group:
            named.append(
                (("zip", index) if isinstance(layout.zip, list) else ("zip",), list(group), group)
            )
    for where, names, lists in named:
        places: list[SpecPath] = []
        for name in names:
            place: SpecPath = where if where[0] == "grid" else (*where, name)
            _check_axis(source, place, name, lists[name])
            config_path = ConfigPath.parse(name)
            if config_path in seen:
                first = source.place(seen[config_path])
                raise source.error(place, f"axis {name!r} is already varied at {first}; keep one")
            seen[config_path] = place
            places.append(place)
        lengths = {name: len(lists[name]) for name in names}
        if len(set(lengths.values())) > 1:
            raise source.error(
                where, f"axes that move together have equal lengths, but these have {lengths}"
            )
        axes.append(
            (tuple(names), tuple(zip(*(lists[name] for name in names), strict=True)), tuple(places))
        )
    return axes


def _check_axis(source: SpecSource, place: SpecPath, name: str, values: list[Any]) -> None:
    check_key(source, place, name, "cannot be an axis")
    if not values:
        raise source.error(place, f"axis {name!r} is empty: give it values, or remove it")
    if place[0] == "grid":
        # As JSON, since 1 == True in Python, but not to a spec.
        seen: set[str] = set()
        for index, value in enumerate(values):
            text = json.dumps(value, sort_keys=True)
            if text in seen:
                raise source.error((*place, index), f"{value!r} is twice in axis {name!r}")
            seen.add(text)


def _check_count(source: SpecSource, axes: list[Axis], included: int) -> None:
    count = prod(len(values) for _, values, _ in axes) + included
    if count > MOST_RUNS:
        sizes = " x ".join(f"{len(values)} {'+'.join(names)}" for names, values, _ in axes)
        raise source.error(
            ("grid",),
            f"{count:,} points ({sizes}) are more than the {MOST_RUNS:,} that one spec may have; "
            "shorten an axis, or split the spec",
        )


def _included(source: SpecSource, base: Point, include: list[dict[str, Any]]) -> Iterator[Point]:
    for index, entry in enumerate(include):
        point = base.copy()
        for name in entry:
            check_key(source, ("include", index, name), name, "is not a key of the config")
        for name in sorted(entry, key=lambda name: len(ConfigPath.parse(name))):
            point.set(source, ConfigPath.parse(name), entry[name], ("include", index, name))
        yield point


class _Exclusions:
    """The points that a spec leaves out.

    An entry covers a point if setting each of its values there would change nothing. So 5/9 and
    its decimal form, or a family's parameter and its coefficients, are the same to it. A list
    stands for any of its values.
    """

    def __init__(self, source: SpecSource, entries: list[dict[str, Any]]) -> None:
        self._source = source
        self._entries = [
            [(name, _named_path(name, value), value) for name, value in entry.items()]
            for entry in entries
        ]
        self._used = [False] * len(entries)
        self._known: dict[tuple[int, str, int, str], bool | SpecError] = {}
        self._fits: set[tuple[int, str]] = set()
        self._errors: dict[tuple[int, str], SpecError] = {}
        for index, entry in enumerate(entries):
            if not entry:
                raise source.error(("exclude", index), "an empty entry would exclude every run")
            for name in entry:
                check_key(source, ("exclude", index, name), name, "is not a key of the config")

    def cover(self, point: Point, config: RunConfig) -> bool:
        covered = False
        for index, entry in enumerate(self._entries):
            if all(
                self._unchanged((index, name), path, value, point, config)
                for name, path, value in entry
            ):
                self._used[index] = covered = True
        return covered

    def _unchanged(
        self, key: tuple[int, str], path: ConfigPath, value: Any, point: Point, config: RunConfig
    ) -> bool:
        for number, alternative in enumerate(
            [value, *value] if isinstance(value, list) else [value]
        ):
            if path in _WHOLE_NUMBERS and type(alternative) is int:
                # These have one form only, so that nothing need be resolved to compare them.
                self._fits.add(key)
                if alternative == (config.seed if path == ("seed",) else config.model.depth):
                    return True
                continue
            around = (*key, number, _surroundings(point, path))
            if around not in self._known:
                self._known[around] = self._would_be_same(key, path, alternative, point, config)
            same = self._known[around]
            if isinstance(same, SpecError):
                # Not a value for this point; maybe for another.
                self._errors[key] = same
                continue
            self._fits.add(key)
            if same:
                return True
        return False

    def _would_be_same(
        self, key: tuple[int, str], path: ConfigPath, value: Any, point: Point, config: RunConfig
    ) -> bool | SpecError:
        changed = point.copy()
        try:
            changed.set(self._source, path, value, ("exclude", *key))
            return resolve(self._source, changed) == config
        except SpecError as error:
            return error

    def check_all_used(self) -> None:
        for index, used in enumerate(self._used):
            if not used:
                for key, error in self._errors.items():
                    if key[0] == index and key not in self._fits:
                        raise error
                entry = {name: value for name, _, value in self._entries[index]}
                raise self._source.error(
                    ("exclude", index), f"{entry} matches no point of the spec; remove it"
                )


_WHOLE_NUMBERS = (("seed",), ("model", "depth"))


_RESOLVED_TOGETHER = ("model", "scheme")


def _surroundings(point: Point, path: ConfigPath) -> str:
    """What decides, beside a new value, whether setting it at `path` changes the config."""
    keys = _RESOLVED_TOGETHER if path[0] in _RESOLVED_TOGETHER else path[:1]
    return json.dumps([point.data.get(key) for key in keys], sort_keys=True)


def _named_path(name: str, value: Any) -> ConfigPath:
    path = ConfigPath.parse(name)
    # A name alone excludes that model or dataset with whatever options.
    return ConfigPath((*path, "name")) if name in NAMED and _is_name(value) else path


def _is_name(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
    )


@contextmanager
def no_search_for_cycles() -> Iterator[None]:
    """While very many objects are made that stay: to go through them all, again and again, would
    take a fifth of the time that making them does, and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
