"""Specs: from YAML to the resolved configs of a sweep's runs.

A spec fixes a base config and varies it along axes (`grid`, `zip`), adds points (`include`) and
leaves points out (`exclude`). An axis is any path into the config, such as `depth` or
`training.optimizer.lr`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from results.garbage_collection import without_cycle_collection
from sweep_plugins import PluginError, UnknownNameError
from sweep_plugins.source import Code
from sweeper.errors import Place
from sweeper.spec.axes import axes_of
from sweeper.spec.exclusions import Exclusions
from sweeper.spec.extending import read_whole
from sweeper.spec.fault_policies import FaultPolicies
from sweeper.spec.files import SpecFile, read_spec_file
from sweeper.spec.grid import Axis, Grid
from sweeper.spec.overrides import apply_override
from sweeper.spec.own_trainers.own_trainer import OwnTrainers, module_folders
from sweeper.spec.places import check_places
from sweeper.spec.points import (
    CONFIG_KEYS,
    ConfigPath,
    Point,
    Suggest,
    check_key,
    check_set_once,
)
from sweeper.spec.resources import Resources
from sweeper.spec.run_configs import check_numbers, resolve
from sweeper.spec.source import EXTENDS, SpecPath, SpecSource, refusal
from sweeper.spec.suggestions import suggestion
from sweeper.spec.validation import explain
from trainers.config.evaluations import EVALUATIONS, EvaluationConfig, key_of_kind, parse_evaluation
from trainers.config.file_limits import FileLimits
from trainers.config.plugin_code import plugin_code
from trainers.config.trainer_run import TrainerRun
from trainers.errors import ConfigError

MOST_RUNS = 250_000
"""Points of one spec; refused before anything is expanded."""

SWEEP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Spec:
    """A spec that has been read, checked and expanded.

    Attributes:
        name: of the sweep.
        configs: one for each run, in the order of the spec, none twice.
        evaluations: what to measure of each trained network.
        faults: what is done when something goes wrong with a run.
        file_limits: how much each run may keep of what it writes into its folder of files.
        text: of it and of what it extends, so that it can be read without any file.
        source: the name of its file.
        overrides: the "path=value" that were set on top of the text.
        files: the names of all files that it was read from, its own first.
        code: the SHA-256 of that of the user's own trainers and plug-ins, by kind and name.
        code_folders: that hold the spec's files and this code.
        sources: of the SHA-256 of each code, those of its files by name.
        uncounted: by trainer, files that it imports and that do not count as its code.
        accepted_code: what of `code` stands in for other code, which the configs name.
        merged: what it and all that it extends say, with what was set on top; not to be changed.
    """

    name: str
    description: str | None
    published: str | None
    configs: tuple[TrainerRun, ...]
    evaluations: tuple[EvaluationConfig, ...]
    resources: Resources
    faults: FaultPolicies
    file_limits: FileLimits
    text: str
    source: str
    overrides: tuple[str, ...]
    files: tuple[str, ...]
    code: Mapping[str, str] = field(compare=False)
    code_folders: tuple[Path, ...] = field(compare=False)
    sources: Mapping[str, Mapping[str, str]] = field(compare=False)
    uncounted: Mapping[str, tuple[str, ...]] = field(compare=False)
    merged: SpecSource = field(compare=False, repr=False)
    accepted_code: Mapping[str, str] = field(default_factory=dict, compare=False)


def load_spec(path: Path, overrides: Sequence[str] = ()) -> Spec:
    """Read, check and expand a spec file.

    Raises:
        RequestError: the file is missing or too large.
        SpecError: anything in it, or in an override, is wrong; names file, line and column.
    """
    return read_spec(read_spec_file(path), overrides)


def spec_from_text(
    text: str, source: str, overrides: Sequence[str] = (), *, stored: bool = False
) -> Spec:
    """The same from a text, as the database keeps it. Raises SpecError.

    Args:
        stored: see `apply_override`.
    """
    return read_spec(SpecFile(source, text), overrides, stored=stored)


def read_spec(
    file: SpecFile,
    overrides: Sequence[str] = (),
    beneath: Sequence[SpecSource] = (),
    *,
    stored: bool = False,
) -> Spec:
    """The same of a text and the folder that it is from.

    Args:
        beneath: what the spec is laid over, as over specs that it extends; it is not stored.
        stored: see `apply_override`.
    """
    source, files = read_whole(file, beneath)
    for override in overrides:
        apply_override(source, override, stored=stored)
    with source.placing_errors(), without_cycle_collection():
        return _expanded(source, tuple(overrides), tuple(files))


class _Layout(BaseModel):
    """The top level of a spec, but for the keys of the config."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    description: str | None = None
    published: str | None = None
    grid: dict[str, list[Any]] = {}
    zip: dict[str, list[Any]] | list[dict[str, list[Any]]] = {}
    include: list[dict[str, Any]] = []
    exclude: list[dict[str, Any]] = []
    evaluations: list[dict[str, Any]] = []
    resources: Resources = Resources()
    faults: FaultPolicies = FaultPolicies()
    files: FileLimits = FileLimits()


# The keys of the config may hold anything here: they are checked later, point by point.
_ANYTHING: dict[str, Any] = dict.fromkeys(CONFIG_KEYS, (Any, None))
_WHOLE_LAYOUT = create_model("_WholeLayout", __base__=_Layout, **_ANYTHING)


def _expanded(source: SpecSource, overrides: tuple[str, ...], files: tuple[str, ...]) -> Spec:
    """Raises ConfigError, whose path leads to what is wrong in the spec."""
    # None stands for absent in every optional key: `zip:` with nothing after it is no error.
    given = {key: v for key, v in source.data.items() if v is not None and key != EXTENDS}
    try:
        layout = _WHOLE_LAYOUT.model_validate(given)
    except ValidationError as error:
        raise explain(error, _WHOLE_LAYOUT, given, suggest=_suggest(source)) from None
    name = Path(source.name).stem if layout.name is None else layout.name
    if not SWEEP_NAME.fullmatch(name):
        of_file = layout.name is None
        is_nameless = of_file and source.name.startswith("<")  # given by Python code
        message = (
            f"{'it has no name' if is_nameless else f'{name!r} is not a name for a sweep'}:"
            f" {'add name: with' if of_file else 'use'} letters, digits, '_', '-' and '.', at most"
            " 100, beginning with a letter or digit"
        )
        if of_file:
            raise refusal(Place(source.name), message)
        raise ConfigError(("name",), message)
    with OwnTrainers(module_folders(files)) as own:
        configs = _configs(source, layout, own)
        used = {config.trainer for config in configs}
        known = [trainer for trainer in own.known() if trainer.name in used]
    check_places(layout.resources, configs)
    evaluations = _evaluations(layout.evaluations)
    code = {f"trainer {each.name}": each.code for each in known if each.code is not None}
    code |= _code_of_plugins(configs, evaluations)
    return Spec(
        name=name,
        description=layout.description,
        published=layout.published,
        configs=configs,
        evaluations=evaluations,
        resources=layout.resources,
        faults=layout.faults,
        file_limits=layout.files,
        text=source.text,
        source=source.name,
        overrides=overrides,
        files=files,
        code={name: each.sha256 for name, each in code.items()},
        code_folders=(*_folders(files), *(each.home for each in code.values())),
        sources={each.sha256: each.files for each in code.values()},
        uncounted={each.name: each.uncounted for each in known if each.uncounted},
        merged=source,
    )


def _folders(files: Sequence[str]) -> list[Path]:
    """Those of the files that are there: a spec may be a text."""
    return [Path(file).resolve().parent for file in files if Path(file).is_file()]


def _code_of_plugins(
    configs: Iterable[TrainerRun], evaluations: Iterable[EvaluationConfig]
) -> dict[str, Code]:
    names = {name: None for config in configs for name in config.plugins or ()}
    names |= {f"evaluation {e.kind}": None for e in evaluations if e.source is not None}
    return {name: code for name in names if (code := plugin_code(name)) is not None}


def _evaluations(given: list[dict[str, Any]]) -> tuple[EvaluationConfig, ...]:
    evaluations: dict[str, EvaluationConfig] = {}
    for index, entry in enumerate(given):
        path: SpecPath = ("evaluations", index)
        key = key_of_kind(entry)
        try:
            evaluation = parse_evaluation(entry)
            if (code := EVALUATIONS.code(evaluation.kind)) is not None:
                evaluation = evaluation.with_source(code.sha256)
        except ValidationError as error:
            kind = entry.get(key)
            known = EVALUATIONS[kind].config if kind in list(EVALUATIONS) else None
            raise explain(error, known, entry, prefix=path) from None
        except (UnknownNameError, PluginError) as error:
            raise ConfigError((*path, key), str(error)) from None
        if evaluation.evaluation_id in evaluations:
            raise ConfigError(path, f"evaluation {evaluation.name} is listed twice; keep one")
        evaluations[evaluation.evaluation_id] = evaluation
    return tuple(evaluations.values())


def _configs(source: SpecSource, layout: _Layout, own: OwnTrainers) -> tuple[TrainerRun, ...]:
    suggest = _suggest(source)
    axes = axes_of(layout.grid, layout.zip, source.place, suggest)
    _check_count(axes, len(layout.include))
    resolved = partial(resolve, own=own)
    exclusions = Exclusions(layout.exclude, resolved, suggest)
    base = Point.base({key: getattr(layout, key) for key in CONFIG_KEYS})
    grid = Grid(base, axes, resolved)
    # An invalid value is found before the product of all axes is expanded.
    for choice in grid.one_of_each():
        grid.config(choice)
    included = [(point, resolved(point)) for point in _included(base, layout.include, suggest)]
    configs: dict[str, TrainerRun] = {}

    def add(config: TrainerRun, point: Callable[[], Point]) -> None:
        if layout.exclude and exclusions.cover(point(), config):
            return
        try:
            run_id = config.run_id
        except ValueError:
            check_numbers(point(), config)
            raise
        configs.setdefault(run_id, config)

    # A spec with neither axes nor included points is one run; include alone is just its points.
    if axes or not included:
        for choice in grid.choices():
            add(grid.config(choice), partial(grid.point, choice))
    for point, config in included:
        add(config, partial(Point.copy, point))
    exclusions.check_all_used(source.inherited)
    if not configs:
        raise ConfigError(("exclude",), "exclude leaves no run over")
    return tuple(configs.values())


def _suggest(source: SpecSource) -> Suggest:
    return partial(suggestion, data=source.data)


def _check_count(axes: list[Axis], included: int) -> None:
    count = prod(len(values) for _, values, _ in axes) + included
    if count > MOST_RUNS:
        sizes = " x ".join(f"{len(values)} {'+'.join(names)}" for names, values, _ in axes)
        raise ConfigError(
            ("grid",),
            f"{count:,} points ({sizes}) are more than the {MOST_RUNS:,} that one spec may have; "
            "shorten an axis, or split the spec",
        )


def _included(base: Point, include: list[dict[str, Any]], suggest: Suggest) -> Iterator[Point]:
    for index, entry in enumerate(include):
        point = base.copy()
        for name in entry:
            check_key(("include", index, name), name, "is not a key of the config", suggest)
        places: dict[str, SpecPath] = {name: ("include", index, name) for name in entry}
        check_set_once({name: [value] for name, value in entry.items()}, places.__getitem__)
        for name in sorted(entry, key=lambda name: len(ConfigPath.parse(name))):
            point.set(ConfigPath.parse(name), entry[name], ("include", index, name))
        yield point
