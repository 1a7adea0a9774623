"""Rows of networks with known accuracies, and what a drawn figure shows."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from results.figures.drawing.style import styled
from trainers.methods import multistep

Row = dict[str, Any]


class Networks:
    """Builds runs; every call without `alpha` or `learned` is of ZeroSNet-Opt."""

    def __init__(self, make: Any) -> None:
        self._make = make
        self._numbers = itertools.count(1)

    def runs(
        self,
        *accuracies: float | None,
        alpha: Sequence[Any] = ("1/3", "5/9", "1/9"),
        beta: Any = "16/9",
        noise: dict[str, Sequence[float | None]] | None = None,
        settings: dict[str, Any] | None = None,
        learned: str | None = None,
        coefficients: Sequence[Any] = (),
        **changes: Any,
    ) -> list[Row]:
        """One done run for each accuracy; None: it diverged.

        `noise` has an accuracy a run for each evaluation, such as "gaussian[0.3]"; `coefficients`
        what each run learned.
        """
        scheme = multistep.LinearMultistepScheme.of(tuple(alpha), beta)
        facts: dict[str, Any] = {
            "alpha": [float(a) for a in scheme.alpha],
            "beta": float(scheme.beta),
            "root_moduli": list(scheme.root_moduli),
            "max_root_modulus": scheme.max_root_modulus,
            "zero_stable": scheme.zero_stable,
            "scheme": str(scheme),
        }
        if learned:
            facts = dict.fromkeys(facts) | {"scheme": f"{learned}_n", "trainable": True}
        facts |= changes
        rows = []
        for seed, accuracy in enumerate(accuracies):
            measured = {
                "test_accuracy": accuracy,
                "best_test_accuracy": None if accuracy is None else accuracy + 1,
                "diverged": accuracy is None,
                "evaluations": [
                    self.evaluation(name, values[seed]) for name, values in (noise or {}).items()
                ],
            }
            number = next(self._numbers)
            row = self._make.row(number, **(measured | {"seed": seed} | facts))
            row["config"] = {
                "seed": seed,
                "model": {"name": row["model"], "depth": row["depth"]},
                "scheme": {"learned": learned, "label": row["scheme"]},
                "dataset": {"name": row["dataset"]},
                "training": {"epochs": 2, "optimizer": {"lr": 0.1}} | (settings or {}),
            }
            row["learned_coefficients"] = coefficients[seed] if coefficients else None
            rows.append(row)
        return rows

    def zerosnet(self, value: Any, *accuracies: float | None, **changes: Any) -> list[Row]:
        scheme = multistep.zerosnet(value)
        return self.runs(*accuracies, alpha=scheme.alpha, beta=scheme.beta, **changes)

    def grid(self, count: int, *, seeds: int = 3, **changes: Any) -> list[Row]:
        """Networks of `count` schemes, about half of them zero stable, with noise."""
        rows = []
        for index in range(count):
            accuracies = [80 + index / 3 + 2 * seed for seed in range(seeds)]
            noise = {
                name: [accuracy - drop for accuracy in accuracies]
                for name, drop in (
                    ("gaussian[0.1]", 5 + index / 10),
                    ("gaussian[0.3]", 30 + index / 5),
                    ("uniform[-0.5,0.5]", 20),
                )
            }
            alpha = (round(0.5 + index / count, 4), 0.25, round(0.01 * index, 4))
            rows += self.runs(*accuracies, alpha=alpha, beta=1, noise=noise, **changes)
        return rows

    def epochs(self, rows: Sequence[Row], count: int = 4) -> list[Row]:
        """Epochs that end at the run's accuracy; those of a diverged run after the first lack."""
        found = []
        for row in rows:
            final = row["test_accuracy"]
            for epoch in range(1, count + 1):
                test = 30.0 if final is None else final - 10.0 * (count - epoch)
                known = final is not None or epoch == 1
                found.append(
                    {
                        "run_id": row["run_id"],
                        "epoch": epoch,
                        "test_accuracy": test if known else None,
                        "train_accuracy": test - 1 if known else None,
                    }
                )
        return found

    def probes(
        self,
        rows: Sequence[Row],
        *,
        probe: str = "feature_norms",
        quantity: str = "norm",
        layers: Sequence[str] = ("",),
        epochs: Sequence[int] = (0, 1, 2),
        value: Callable[[Row, int, int], float | None] = lambda row, epoch, layer: (
            1.0 + row["seed"] + epoch * layer
        ),
    ) -> list[Row]:
        """What a probe measured; `value` is of the run, the epoch and the layer's place from 1."""
        return [
            {
                "run_id": row["run_id"],
                "probe": probe,
                "quantity": quantity,
                "epoch": epoch,
                "layer": layer,
                "value": value(row, epoch, place),
            }
            for row in rows
            for epoch in epochs
            for place, layer in enumerate(layers, start=1)
        ]

    def evaluation(self, name: str, accuracy: float | None) -> Row:
        kind, _, levels = name.partition("[")
        bounds = [float(level) for level in levels.split("]")[0].split(";")[0].split(",")]
        level = max(bounds, key=lambda bound: (abs(bound), bound))
        return {"name": name, "kind": kind, "level": level, "accuracy": accuracy}


@pytest.fixture
def networks(make: Any) -> Networks:
    return Networks(make)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Callable[[Figure], list[Text]]:
    """Draws a figure and gives the texts that were drawn."""
    drawn: list[Text] = []
    draw = Text.draw

    def record(text: Text, renderer: Any) -> None:
        if text.get_visible() and text.get_text().strip():
            drawn.append(text)
        draw(text, renderer)

    def show(figure: Figure) -> list[Text]:
        drawn.clear()
        with monkeypatch.context() as patched, styled():
            patched.setattr(Text, "draw", record)
            figure.canvas.draw()
        return list(dict.fromkeys(drawn))

    return show


@pytest.fixture
def said(shown: Callable[[Figure], list[Text]]) -> Callable[[Figure], str]:
    """All that a figure says, with lines of one text joined again."""
    return lambda figure: "; ".join(" ".join(t.get_text().split("\n")) for t in shown(figure))
