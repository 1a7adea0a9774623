"""What a spec that is wrong costs: seconds and memory of `sweep run` until it says so.

    python benchmarks/bad_specs.py                # all of them, about two minutes
    python benchmarks/bad_specs.py --match deep   # those with this word in their name

Every spec of tests/support/wrong_specs.py is given to a process of its own. It has to end with
exit code 2 and one line that names file, line and column, and to write nothing; the table has the
time from start to end, the processor's part of it, and the most memory that the process held. What
is more than a second or 200 MB ends the benchmark with exit code 1; by the processor's time, since
on a busy machine the other one tells of the machine.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from wrong_specs import HOSTILE, MISTAKES, Wrong

MOST_SECONDS = 1.0
MOST_MEGABYTES = 200.0
SWEEP = Path(sys.executable).with_name("sweep")


@dataclass(frozen=True)
class Measured:
    """One refusal; `fault` says what is not as it has to be."""

    name: str
    seconds: float
    processor_seconds: float
    megabytes: float
    fault: str | None


def measure(name: str, wrong: Wrong, folder: Path) -> Measured:
    """Runs `sweep run` on the spec, in a folder of its own."""
    content, (line, column), _ = wrong
    spec = folder / "wrong.yaml"
    spec.write_bytes(content.encode() if isinstance(content, str) else content)
    started = time.perf_counter()
    process = subprocess.Popen(
        [SWEEP, "run", spec.name], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    said = process.stdout.read().decode()
    # Unlike `wait`, it tells what this one child used.
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    fault = None
    if process.returncode != 2:
        fault = f"exit code {process.returncode}"
    elif not said.startswith(f"error: wrong.yaml:{line}:{column}: ") or said.count("\n") != 1:
        fault = f"said {said[:200]!r}"
    elif list(folder.iterdir()) != [spec]:
        fault = "something was written"
    megabytes = usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024)
    return Measured(name, seconds, usage.ru_utime + usage.ru_stime, megabytes, fault)


def show(title: str, measured: list[Measured]) -> None:
    seconds = [one.seconds for one in measured]
    processor = [one.processor_seconds for one in measured]
    megabytes = [one.megabytes for one in measured]
    print(
        f"{title:<10}{len(measured):>6}{statistics.median(seconds):>10.2f}{max(seconds):>10.2f}"
        f"{statistics.median(processor):>12.2f}{max(processor):>12.2f}"
        f"{statistics.median(megabytes):>11.0f}{max(megabytes):>10.0f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--match", default="", help="part of the names of the specs to measure")
    match = parser.parse_args().match
    print(
        f"{'':<10}{'specs':>6}{'median s':>10}{'max s':>10}{'median CPU s':>13}{'max CPU s':>11}"
        f"{'median MB':>11}{'max MB':>10}"
    )
    everything: list[Measured] = []
    for title, specs in (("mistakes", MISTAKES), ("hostile", HOSTILE)):
        measured = []
        for name, wrong in specs.items():
            if match in name:
                with tempfile.TemporaryDirectory() as folder:
                    measured.append(measure(name, wrong, Path(folder)))
        if measured:
            show(title, measured)
        everything += measured
    if not everything:
        sys.exit(f"no spec has {match!r} in its name")
    show("all", everything)
    print("\nmost work")
    for one in sorted(everything, key=lambda one: -one.processor_seconds)[:5]:
        print(f"  {one.processor_seconds:6.2f} CPU s {one.megabytes:6.0f} MB  {one.name}")
    faults = [f"{one.name}: {one.fault}" for one in everything if one.fault]
    faults += [
        f"{one.name}: {one.processor_seconds:.2f} CPU s, {one.megabytes:.0f} MB"
        for one in everything
        if one.processor_seconds > MOST_SECONDS or one.megabytes > MOST_MEGABYTES
    ]
    if faults:
        sys.exit("\n".join(["", *faults]))


if __name__ == "__main__":
    main()
