"""Draws docs/schema.svg from the tables themselves: `python docs/draw_schema.py`.

One box a table, one line a column; bold is the primary key, an arrow leads, behind other boxes,
from a reference to what it refers to.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle
from sqlalchemy import Column, Table

from results.schema.tables import metadata

LINE = 0.17
WIDTH = 2.3
#: Left edge and top of each table's box, in inches from the upper left.
PLACES = {
    "sweeps": (0.1, 0.1),
    "sweep_specs": (0.1, 1.5),
    "sweep_runs": (3.0, 0.1),
    "sweep_evaluations": (3.0, 2.2),
    "evaluation_configs": (0.1, 4.0),
    "runs": (5.9, 0.1),
    "attempts": (8.8, 0.1),
    "drivers": (8.8, 3.5),
    "code_states": (8.8, 5.05),
    "epochs": (8.8, 5.8),
    "evaluations": (3.0, 4.4),
    "probes": (8.8, 7.6),
    "blocks": (3.0, 5.9),
    "imports": (5.9, 6.9),
    "metrics": (0.1, 5.9),
    "epoch_metrics": (5.9, 8.2),
    "files": (5.9, 9.3),
    "run_tags": (8.8, 9.0),
    "run_notes": (8.8, 9.75),
    "sweep_tags": (0.1, 7.6),
    "sweep_notes": (0.1, 8.4),
}
SIZE = (11.8, 10.8)


def kind(column: Column[object]) -> str:
    """The type as people name it."""
    names = {"VARCHAR": "text", "TEXT": "text", "FLOAT": "float", "BIGINT": "integer"}
    written = str(column.type).split("(")[0]
    return names.get(written, written.lower())


def height(table: Table) -> float:
    return LINE * (len(table.columns) + 1.4)


def draw(path: Path) -> None:
    figure = Figure(figsize=SIZE)
    FigureCanvasSVG(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, SIZE[0])
    axes.set_ylim(SIZE[1], 0)
    axes.axis("off")
    lines = {}
    for name, (left, top) in PLACES.items():
        table = metadata.tables[name]
        axes.add_patch(
            Rectangle((left, top), WIDTH, height(table), facecolor="white", edgecolor="#444444")
        )
        axes.add_patch(Rectangle((left, top), WIDTH, 1.2 * LINE, facecolor="#0072B2"))
        axes.text(left + 0.06, top + 0.85 * LINE, name, color="white", weight="bold", size=8.5)
        for number, column in enumerate(table.columns):
            y = top + LINE * (number + 1.9)
            lines[name, column.name] = (left, y)
            weight = "bold" if column.primary_key else "normal"
            axes.text(left + 0.06, y + 0.04, column.name, size=7, weight=weight)
            axes.text(
                left + WIDTH - 0.06, y + 0.04, kind(column), size=6, color="#666666", ha="right"
            )
    for table in metadata.tables.values():
        for column in table.columns:
            for key in column.foreign_keys:
                source = lines[table.name, column.name]
                target = lines[key.column.table.name, key.column.name]
                to_left = target[0] < source[0]
                start = (source[0] + (0 if to_left else WIDTH), source[1])
                end = (target[0] + (WIDTH if to_left else 0), target[1])
                bend = 0.0
                if target[0] == source[0]:  # around the boxes' right sides
                    start = (source[0] + WIDTH, source[1])
                    end = (target[0] + WIDTH, target[1])
                    bend = 0.5 if target[1] < source[1] else -0.5
                axes.add_artist(
                    ConnectionPatch(
                        start, end, "data", "data", arrowstyle="-|>", color="#D55E00",
                        linewidth=0.8, connectionstyle=f"arc3,rad={bend}", zorder=0.5,
                    )
                )  # fmt: skip
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "sweep"}):
        figure.savefig(path, metadata={"Date": None, "Title": "The tables of the results database"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "output", type=Path, nargs="?", default=Path(__file__).with_name("schema.svg")
    )
    draw(parser.parse_args().output)
