"""What logs cost: no-op runs inline, with logs and without, and with runs that print.

    python benchmarks/logs.py --runs 2000 --turns 5

Each turn is a `sweep run` in a process of its own, from the first claim to the last commit, and its
processor time with that of the process that writes the logs, of the whole program.
"""

from __future__ import annotations

import argparse
import statistics

from no_op_sweep import Timed, no_op_spec, timed_sweep

WITHOUT = """
from contextlib import nullcontext
from sweeper.executors import inline
inline.RunLogs = lambda *_: type("NoLogs", (), {
    "of": lambda *_: nullcontext(), "close": lambda _: None
})()
"""
KINDS = {
    "without logs": ("nothing", WITHOUT),
    "with logs": ("nothing", ""),
    "10 lines a run": ("ten_lines", ""),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--turns", type=int, default=5)
    chosen = parser.parse_args()
    found: dict[str, list[Timed]] = {kind: [] for kind in KINDS}
    for _ in range(chosen.turns):
        for kind, (trainer, before) in KINDS.items():
            found[kind].append(timed_sweep(no_op_spec(chosen.runs, trainer), before=before))
    for kind, turns in found.items():
        rate = statistics.median(turn.rate for turn in turns)
        used = statistics.median(turn.processor_milliseconds for turn in turns)
        print(f"{kind:16} {rate:7.0f} runs a second, {used:6.3f} ms of processor time a run")


if __name__ == "__main__":
    main()
