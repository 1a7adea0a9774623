"""What was measured, as JSON and as a table."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gpu.bench import Row
from gpu.bounds import runs_an_hour

_HEADINGS = ("lane", "images/s", "min", "max", "x baseline", "runs/h", "GiB", "checks")


@dataclass
class Report:
    """All rows of all rounds.

    Attributes:
        settings: what was measured, and on what.
        skipped: why a lane was not measured, by its name.
        errors: the traceback of a lane that failed, by its name; its rows before that are kept.
    """

    settings: dict[str, Any]
    skipped: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    _rounds: list[dict[str, Row]] = field(default_factory=list)

    def begin_round(self) -> None:
        self._rounds.append({})

    def add(self, row: Row) -> None:
        self._rounds[-1][row.name] = row

    def to_json(self) -> dict[str, Any]:
        names = list(dict.fromkeys(name for rows in self._rounds for name in rows))
        lanes = {name: self._lane(name) for name in names}
        failed = [
            f"{name}: {check}"
            for name, lane in lanes.items()
            for check, true in lane["checks"].items()
            if not true
        ]
        return {
            **self.settings,
            "lanes": lanes,
            "failed_checks": failed,
            "skipped": self.skipped,
            "errors": self.errors,
        }

    def save(self, path: Path) -> None:
        """Replace the file as a whole, so that a run that is cut short leaves what it had."""
        temporary = path.with_name(f"{path.name}.part")
        temporary.write_text(json.dumps(self.to_json(), indent=1) + "\n")
        temporary.replace(path)

    def table(self) -> str:
        """One line for each row of the report, and one for all that is wrong."""
        content = self.to_json()
        rows = [_HEADINGS]
        for name, lane in content["lanes"].items():
            rate, ratio = lane["images_per_second"], lane["ratio_to_baseline"]
            memory = lane["gpu_memory_bytes"]
            checks = lane["checks"]
            rows.append(
                (
                    name,
                    f"{rate['median']:,.0f}",
                    f"{rate['min']:,.0f}",
                    f"{rate['max']:,.0f}",
                    "-" if ratio is None else f"{ratio:.2f}",
                    f"{lane['runs_per_hour']:.2f}",
                    "-" if memory is None else f"{memory / 2**30:.2f}",
                    "-" if not checks else "ok" if all(checks.values()) else "FAILED",
                )
            )
        lines = _aligned(rows)
        lines += [f"skipped {name}: {why}" for name, why in content["skipped"].items()]
        lines += [f"FAILED {check}" for check in content["failed_checks"]]
        for name, text in content["errors"].items():
            lines.append(f"ERROR {name}: {text.strip().splitlines()[-1]}")
        return "\n".join(lines)

    def _lane(self, name: str) -> dict[str, Any]:
        rows = [rows[name] for rows in self._rounds if name in rows]
        rates = [row.images_per_second for row in rows]
        ratios = [
            rows[name].images_per_second / rows["baseline"].images_per_second
            for rows in self._rounds
            if name in rows and "baseline" in rows
        ]
        memory = [row.memory_bytes for row in rows if row.memory_bytes is not None]
        checks: dict[str, bool] = {}
        facts: dict[str, Any] = {}
        for row in rows:
            # A check that failed in one round has failed.
            for check, true in row.checks.items():
                checks[check] = checks.get(check, True) and true
            facts |= row.facts
        median = statistics.median(rates)
        return {
            "images_per_second": {
                "median": round(median, 1),
                "min": round(min(rates), 1),
                "max": round(max(rates), 1),
            },
            "rounds": len(rates),
            "ratio_to_baseline": round(statistics.median(ratios), 3) if ratios else None,
            "runs_per_hour": round(runs_an_hour(median), 3),
            "gpu_memory_bytes": max(memory) if memory else None,
            "checks": checks,
            "facts": facts,
        }


def machine(device: torch.device) -> dict[str, Any]:
    """What the figures were taken on."""
    found: dict[str, Any] = {
        "device": str(device),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cudnn_allow_tf32": torch.backends.cudnn.allow_tf32,
        "CUBLAS_WORKSPACE_CONFIG": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        "CUDA_DEVICE_MAX_CONNECTIONS": os.environ.get("CUDA_DEVICE_MAX_CONNECTIONS"),
    }
    if device.type == "cuda":
        facts = torch.cuda.get_device_properties(device)
        found |= {
            "gpu": facts.name,
            "multiprocessors": facts.multi_processor_count,
            "gpu_memory_bytes": facts.total_memory,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        }
    return found


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    ]
