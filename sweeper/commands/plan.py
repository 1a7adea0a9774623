"""`sweep plan`: what a spec would run."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from sweeper.commands import options
from sweeper.commands.output import say, write_json, write_table, write_text
from sweeper.errors import RequestError
from sweeper.settings.names import option_of


def plan(
    spec: options.SpecArgument,
    changes: options.SetOption = [],  # noqa: B006
    resolved: Annotated[
        bool,
        typer.Option(
            "--resolved", help="the spec with all that holds of it, and where each value comes from"
        ),
    ] = False,
    device: options.DeviceOption = None,
    same_code: options.SameCodeOption = False,
    home: options.HomeOption = options.DEFAULT_HOME,
    db: options.DatabaseOption = None,
    format: options.FormatOption = "table",  # noqa: A002
    raw: options.RawOption = False,
    output: options.OutputOption = None,
) -> None:
    """Show what SPEC would run; changes no result."""
    from results.metrics import counted
    from sweeper.planning.remarks import remarks
    from sweeper.spec.files import read_spec_file
    from sweeper.sweep import Sweep

    if resolved and format not in ("table", "json"):
        raise RequestError(f"a resolved spec is shown as table (YAML) or json, not as {format!r}")
    settings = options.settings_of({"home": home, "db": db, "device": device}, spec.parent)
    command = " ".join(sys.argv)
    sweep = Sweep.of(read_spec_file(spec), changes, settings, command, same_code=same_code)
    if resolved:
        from sweeper.planning.resolved import resolved as resolve

        found = resolve(sweep.spec, settings)
        if format == "json":
            write_json(found.to_json(), output)
        else:
            write_text(found.to_yaml(), output)
        return
    if settings.origins["device"] == option_of("device") and not sweep.spec.resources.gpus:
        raise RequestError(
            "--device names a GPU, and these runs train on CPUs: add --set resources.gpus=1"
        )
    plan = sweep.planned()
    rows = plan.rows
    if format == "json":
        write_table(rows, format, output)
    else:
        write_table(_planned(rows, raw or format != "table"), format, output, raw=raw)
    for sentence in sweep.edits():
        say(sentence)
    done, failed = (sum(row["state"] == state for row in rows) for state in ("done", "failed"))
    imported = sum(row["imported"] and row["state"] == "done" for row in rows)
    elsewhere = f" ({imported} imported)" if imported else ""
    say(
        f"{counted(len(rows), 'run')}, {done} done{elsewhere}, {failed} failed;"
        f" {len(rows) - done - failed} to train"
    )
    for sentence in (*plan.work.sentences(), *remarks(sweep.spec)):
        say(sentence)
    if refusal := plan.work.refusal():
        raise RequestError(refusal)


def _planned(rows: list[dict[str, Any]], raw: bool) -> list[dict[str, Any]]:
    """As columns; `settings` only where anything varies that the others do not show.

    What is known of networks and datasets is left out where no run has one. Unless they are to be
    `raw`, times are as people say them.
    """
    columns = [
        column
        for column in _PLANNED
        if column not in _IF_ANY or any(row[_IF_ANY[column]] for row in rows)
    ]
    names = {} if raw else {"estimated_seconds": "estimated", "memory_bytes": "memory"}
    return [
        {names.get(column, column): _cell(row, column, raw) for column in columns} for row in rows
    ]


def _cell(row: dict[str, Any], column: str, raw: bool) -> Any:
    value = row[column]
    if column == "settings":
        return _said(value)
    if raw or value is None:
        return value
    if column == "estimated_seconds":
        from sweeper.scheduling.progress import format_duration

        return format_duration(value)
    if column == "memory_bytes":
        return f"{value / 2**30:.3g} GiB"
    return value


def _said(value: Any) -> str:
    from sweep_plugins.schemes.exact_text import exact_text

    if isinstance(value, dict):
        return ", ".join(f"{path.split('.')[-1]} {_said(at)}" for path, at in value.items())
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    return exact_text(value) if isinstance(value, float) else str(value)


_IF_ANY = {
    "settings": "settings",
    "dataset": "dataset",
    "estimated_seconds": "estimated_seconds",
    "memory_bytes": "memory_bytes",
    **dict.fromkeys(
        ("model", "scheme", "depth", "root_moduli", "zero_stable", "parameters"), "model"
    ),
}
"""Columns that are shown if any run has something in another."""

_PLANNED = (
    "run_id", "state", "model", "scheme", "depth", "settings", "dataset", "seed",
    "root_moduli", "zero_stable", "parameters", "memory_bytes", "estimated_seconds",
    "imported",
)  # fmt: skip
