"""One run in full, as text for a terminal."""

from __future__ import annotations

import json
import re
from typing import Any

from results.metrics import metric_of_trainer, shown
from results.provenance import FILES_LEFT_OUT, fact_text, files_left_out
from results.rendering.aligned import aligned
from results.run_columns import OF_SCHEME, RUN_COLUMNS
from sweep_plugins.plain_text import LONGEST_ERROR, LONGEST_TRACEBACK, shortened


def run_page(detail: dict[str, Any]) -> str:
    """Everything that `sweep show` says, section by section.

    Args:
        detail: as returned by `Queries.run_detail`; it may have the key `weights_kept`, and an
            attempt the key `last_lines`, those of its log.
    """
    sections = [
        _facts(detail),
        _notes(detail["notes"]),
        _config(detail),
        _epochs(detail["epoch_history"]),
        _metrics(detail["metrics"], detail["metric_history"]),
        _evaluations(detail["evaluations"]),
        _blocks(detail["blocks"]),
        _probes(detail["probes"]),
        _files(detail),
        *(_attempt(attempt) for attempt in detail["attempt_history"]),
        *(_spec(spec) for spec in detail["sweep_specs"]),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


_OF_RUN = [column for column in RUN_COLUMNS if column.source != "store" and column.on_page]
# Digests, which are not for reading, come last.
_OF_RUN.sort(key=lambda column: column.measured and column.kind == "text")
_FACTS = ("state", "error", *(column.name for column in _OF_RUN), "created_at", "finished_at")


def _facts(detail: dict[str, Any]) -> str:
    lines = [f"run {detail['run_id']} in {', '.join(detail['sweeps']) or 'no sweep'}"]
    if detail["imported"]:
        lines.append(f"  {'imported':<20} yes: it was not trained here")
    if detail["tags"]:
        lines.append(f"  {'tags':<20} {', '.join(detail['tags'])}")
    if detail.get("weights_kept") is False:
        lines.append(f"  {'weights':<20} none is kept: nothing more can be measured of it")
    for key in _FACTS:
        if detail[key] is not None:
            lines.append(f"  {key:<20} {_shown(detail[key])}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        items = (f"({_shown(v)})" if isinstance(v, list) else _shown(v) for v in value)
        return ", ".join(items) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return shortened(str(value), LONGEST_ERROR)


def _notes(notes: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"note {note['number']}, of {note['created_at']}\n{_indented(note['text'])}"
        for note in notes
    )


def _config(detail: dict[str, Any]) -> str:
    text = json.dumps(detail["config"], indent=2, ensure_ascii=False)
    return "config (its hash is the run id)\n" + _indented(text)


def _epochs(history: list[dict[str, Any]]) -> str:
    if not history:
        return ""
    keys = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "learning_rate")
    head = "epoch " + " ".join(f"{key:>14}" for key in keys)
    lines = [
        f"{epoch['epoch']:>5} "
        + " ".join(
            f"{'-' if epoch[key] is None else format(epoch[key], '.5g'):>14}" for key in keys
        )
        for epoch in history
    ]
    return "\n".join([head, *lines])


_MOST_VALUES = 8
"""Of a metric at its epochs; of more, the first and the last half of these are shown."""


def _metrics(metrics: list[dict[str, Any]], history: list[dict[str, Any]]) -> str:
    """What the trainer reported: the value at the end, and those at its epochs."""
    found: dict[str, list[dict[str, Any]]] = {metric["name"]: [] for metric in metrics}
    for row in history:
        found.setdefault(row["name"], []).append(row)
    ends = {metric["name"]: metric for metric in metrics}
    lines = []
    for name, rows in found.items():
        known = ends.get(name)
        metric = metric_of_trainer(name, [known] if known else [])
        unit = f" {'%' if metric.unit == 'percent' else metric.unit}" if metric.unit else ""
        end = shown(known["value"], metric) if known else None
        end = "-" if end is None else f"{end}{unit}"
        values = [f"{row['epoch']}: {shown(row['value'], metric) or '-'}" for row in rows]
        if len(values) > _MOST_VALUES:
            half = _MOST_VALUES // 2
            values = [*values[:half], "...", *values[-half:]]
        lines.append([name, end, ", ".join(values)])
    head = "metrics (at the end of the run; at its epochs)"
    return "\n".join([head, *aligned(lines)]) if lines else ""


def _evaluations(evaluations: list[dict[str, Any]]) -> str:
    lines = []
    for evaluation in evaluations:
        accuracy = evaluation["accuracy"]
        shown = "not measured" if accuracy is None else format(accuracy, ".2f")
        elsewhere = " (imported)" if evaluation["imported"] else ""
        lines.append(f"  {evaluation['name']:<24} {shown}{elsewhere}")
    return "\n".join(["evaluations (accuracy in percent)", *lines]) if lines else ""


def _blocks(blocks: list[dict[str, Any]]) -> str:
    if not blocks:
        return ""
    # The largest modulus is the first of them.
    columns = ("block", *(c.name for c in OF_SCHEME if c.name != "max_root_modulus"))
    rows = [[_shown(block[name]) for name in columns] for block in blocks]
    head = "blocks (coefficients at the end of training, newest state first)"
    return "\n".join([head, *aligned([list(columns), *rows])])


_MOST_PROBE_LINES = 40
"""Of a quantity in more layers, the summary gives least and greatest instead of each value."""


def _probes(probes: list[dict[str, Any]]) -> str:
    """The last epoch's value of each quantity in each layer, or where they lie between."""
    if not probes:
        return ""
    quantities: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in probes:
        quantities.setdefault((row["probe"], row["quantity"]), []).append(row)
    last = {
        key: [row for row in rows if row["epoch"] == rows[-1]["epoch"]]
        for key, rows in quantities.items()
    }
    in_full = sum(map(len, last.values())) <= _MOST_PROBE_LINES
    lines = [["probe", "quantity", "epoch", "layer", "value"]]
    for (probe, quantity), rows in last.items():
        start = [probe, quantity, str(rows[0]["epoch"])]
        if in_full or len(rows) == 1:
            lines += [[*start, row["layer"] or "-", _shown(row["value"])] for row in rows]
            continue
        values = [row["value"] for row in rows if row["value"] is not None]
        between = f"{_shown(min(values))} to {_shown(max(values))}" if values else "-"
        lines.append([*start, f"{len(rows)} layers", between])
    head = f"probes (of the last epoch; {len(probes)} values in all)"
    text = [head, *aligned(lines)]
    if len(lines) - 1 < len(probes):
        text.append("  all of them: --format json")
    return "\n".join(text)


_MOST_FILES = 40


def _files(detail: dict[str, Any]) -> str:
    """What the run keeps, with sizes and SHA-256; of many, the first. And what it does not keep."""
    files = detail["files"]
    made_it = [attempt for attempt in detail["attempt_history"] if attempt["state"] == "done"]
    left_out = files_left_out(made_it[-1]["provenance"]) if made_it else []
    if not files and not left_out:
        return ""
    text = [f"files ({len(files)}, {sum(file['size'] for file in files):,} bytes)"]
    shown = files[:_MOST_FILES]
    if shown:
        text += aligned([[f["path"], f"{f['size']:,} bytes", f["sha256"]] for f in shown])
    if len(files) > len(shown):
        text.append(f"  {len(files) - len(shown)} more: --format json")
    return "\n".join([*text, *(f"  not kept: {sentence}" for sentence in left_out)])


_WIDTH = 80


def _attempt(attempt: dict[str, Any]) -> str:
    since, until = _to_the_second(attempt["started_at"]), attempt["finished_at"]
    until = "now" if until is None else _to_the_second(until)
    lines = [f"attempt {attempt['attempt']}: {attempt['state']}, {since} to {until}"]
    if attempt["imported_from"] is not None:
        lines.append(f"  imported from {attempt['imported_from']}, which says of it:")
    if (attempt["first_epoch"] or 1) > 1:
        lines.append(f"  went on at epoch {attempt['first_epoch']} from a checkpoint")
    elif attempt["first_epoch"] == 1 and attempt["attempt"] > 1:
        lines.append("  began again at epoch 1: there was no checkpoint to go on from")
    lines += [
        _fact(key, fact_text(value))
        for key, value in (attempt["provenance"] or {}).items()
        if value not in (None, [], {})
        and key not in ("started_at", "finished_at", "first_epoch", "sources", FILES_LEFT_OUT)
    ]
    if attempt["error"]:
        lines.append(f"  error: {_shown(attempt['error'])}")
    if attempt["traceback"]:
        lines.append(_indented(shortened(attempt["traceback"], LONGEST_TRACEBACK).rstrip()))
    if attempt.get("last_lines"):
        lines.append("  the last lines that it wrote:")
        lines += [f"  | {line}" for line in attempt["last_lines"]]
    return "\n".join(lines)


def _fact(key: str, text: str) -> str:
    """The fact on as many lines as it needs, none of which ends inside of an item of a list."""
    begin, lines = f"  {key:<16} ", [""]
    for item in text.split(", "):
        longer = f"{lines[-1]}, {item}" if lines[-1] else item
        if lines[-1] and len(begin) + len(longer) + 1 > _WIDTH:
            lines[-1] += ","
            longer = item
            lines.append("")
        lines[-1] = longer
    return begin + f"\n{' ' * len(begin)}".join(lines)


def _spec(spec: dict[str, Any]) -> str:
    lines = [
        f"sweep {spec['name']} asks for it: version {spec['version']} of {spec['source']},"
        f" {_to_the_second(spec['created_at'])}"
    ]
    lines += [f"  --set {override}" for override in spec["overrides"]]
    lines.append(_indented(spec["text"].rstrip()))
    return "\n".join(lines)


def _to_the_second(moment: str | None) -> str:
    """An ISO time without its fraction of a second, with which a line is longer than a terminal."""
    return "unknown" if moment is None else re.sub(r"\.\d+", "", moment)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
