"""What differs between runs beyond their schemes and seeds, as keys to group them by."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Text, cast, func, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from results.analysis.sort_keys import sort_key
from results.json_values import leaves
from results.queries.columns import StoredColumns
from results.queries.filters import compile_filters
from results.queries.queries import Queries
from results.queries.row_columns import DEEPEST_PATH, can_be_named
from results.queries.selection import Selection
from results.run_columns import RUN_COLUMNS
from results.schema.tables import runs

_PATH_OF = {column.name: column.config_path for column in RUN_COLUMNS if column.config_path}
_KEY_AT = {path: name for name, path in _PATH_OF.items()}
_APART = ("seed", "scheme")
_OPTIONS = "options."
_MISSING = object()
#: Keys of their own, which have these paths' values.
_NAMED = {_PATH_OF["model"], _PATH_OF["depth"], _PATH_OF["dataset"]}


class Setting(NamedTuple):
    """What one or more runs have in common: model, dataset, and their config as it is, or without
    scheme and seed.
    """

    model: str | None
    dataset: str | None
    config: Mapping[str, Any]


def varied_keys(settings: Iterable[Setting]) -> list[str]:
    """The keys in which these differ, other than model, depth, scheme and seed.

    `dataset`, run keys and paths into the config. A model's options are compared among runs of
    that model, a dataset's among runs of that dataset, and the code of plug-ins among runs with the
    same. Of several that divide the runs in the same way, as epochs and the milestones that follow
    from them, only the first is named; but options of trainers all are, which nobody can tell to
    follow from one another. Where there are several trainers, `trainer` comes first, and an option
    that only some of them have counts where it differs among their runs.
    """
    known = list(settings)
    flat = [_leaves(setting.config) for setting in known]
    among: dict[str, Sequence[str | None]] = {
        "model": [setting.model for setting in known],
        "dataset": [setting.dataset for setting in known],
        "plugins": [
            json.dumps([s.model, s.dataset, s.config.get("probes")], sort_keys=True) for s in known
        ],
    }
    trainers = [setting.config.get("trainer") for setting in known]
    found: list[str] = []
    divisions: set[tuple[int, ...]] = set()
    for name, of_all in (("trainer", trainers), ("dataset", among["dataset"])):
        division = _division(of_all)
        if len(set(division)) > 1 and division not in divisions:
            divisions.add(division)
            found.append(name)
    for path in sorted({path for one in flat for path in one}, key=_place):
        values = [sort_key(one.get(path)) for one in flat]
        if path.startswith(_OPTIONS):
            if _option_varies([one.get(path, _MISSING) for one in flat], trainers):
                divisions.add(_division(values))
                found.append(path)
            continue
        owners = among.get(path.split(".")[0], [""] * len(known))
        if len(set(zip(owners, values, strict=True))) > len(set(owners)):
            division = _division(values)
            if division not in divisions:
                divisions.add(division)
                found.append(_KEY_AT.get(path, path))
    return found


def _option_varies(values: Sequence[Any], trainers: Sequence[str | None]) -> bool:
    """Whether runs that have an option differ in it, or some runs of one trainer lack it."""
    known = {sort_key(value) for value in values if value is not _MISSING}
    lacking = {(t, v is _MISSING) for t, v in zip(trainers, values, strict=True)}
    return len(known) > 1 or len(lacking) > len(set(trainers))


def default_keys(settings: Iterable[Setting]) -> list[str]:
    """The keys of a report that names none: what tells networks apart, and what else varies.

    The trainer, where that is all that is known.
    """
    known = list(settings)
    of_network = ["model", "scheme", "depth"] if any(s.model is not None for s in known) else []
    return [*of_network, *varied_keys(known)] or ["trainer"]


def stored_keys(queries: Queries, sweeps: Sequence[str], where: Sequence[str] = ()) -> list[str]:
    """The `default_keys` of a report of these runs, or of the sweeps' if none passes the filters.

    Raises as `Queries.run_rows`.
    """
    settings = stored_settings(queries, sweeps, where)
    return default_keys(settings or stored_settings(queries, sweeps))


def stored_settings(
    queries: Queries, sweeps: Sequence[str], where: Sequence[str] = ()
) -> list[Setting]:
    """Each setting once that a run of these sweeps has, or of the whole database, in any state.

    Of the runs that pass the filters, or may once they are measured. Raises as
    `Queries.run_rows`.
    """
    with queries.view() as connection:
        selection = Selection(connection, sweeps)
        columns = StoredColumns(connection, selection)
        dialect = connection.dialect.name
        filters = compile_filters(dialect, columns, where, unfinished_pass=True)
        query = select(runs.c.model, runs.c.dataset, _without(dialect, _APART)).distinct()
        rows = connection.execute(query.where(*selection.holds(runs.c.run_id), *filters)).all()
    return [Setting(model, dataset, json.loads(config)) for model, dataset, config in rows]


def _leaves(config: Mapping[str, Any]) -> dict[str, Any]:
    found = leaves({key: v for key, v in config.items() if key not in _APART}, can_be_named)
    return {
        path: value
        for path, value in found.items()
        if path not in _NAMED and path.count(".") < DEEPEST_PATH
    }


def _place(path: str) -> tuple[bool, bool, str]:
    """Keys of a run come first, and digests of code, which mostly follow from others, last."""
    return path.split(".")[0] in ("source", "plugins"), path not in _KEY_AT, path


def _division(values: Sequence[Any]) -> tuple[int, ...]:
    """Equal for columns of values that are equal in the same rows."""
    numbers: dict[Any, int] = {}
    return tuple(numbers.setdefault(value, len(numbers)) for value in values)


def _without(dialect: str, keys: Sequence[str]) -> ColumnElement[str]:
    """The text of a run's config without these keys."""
    text = type_coerce(runs.c.config, Text)
    if dialect == "sqlite":
        return func.json_remove(text, *(f"$.{key}" for key in keys))
    config: ColumnElement[Any] = cast(text, JSONB)
    for key in keys:
        config = config.op("-")(key)
    return cast(config, Text)
