"""What tells two runs apart, for a terminal of 80 columns."""

from __future__ import annotations

from typing import Any

from results.analysis.run_differences import SECTIONS
from results.rendering.run_differences import differences_page

RUN, OTHER = "1" * 16, "2" * 16


def page(**sections: list[tuple[str, Any, Any]]) -> list[str]:
    rows = {
        name: [{"key": key, "run": run, "other": other} for key, run, other in found]
        for name, found in sections.items()
    }
    found = {"run": RUN, "other": OTHER, **{name: [] for name in SECTIONS}, **rows}
    return differences_page(found).splitlines()


def test_values_stand_side_by_side_within_80_columns():
    one, other = "a1" * 32, "b2" * 32
    lines = page(
        code=[
            ("sweep_example/salt_and_pepper.py", one, other),
            ("git_commit", "c3" * 20, f"{'d4' * 20}+changes"),
        ],
        results=[("test_accuracy", 56.666666666666664, None)],
    )
    assert lines == [
        "config: the same",
        "",
        "code",
        f"                                    {RUN}  {OTHER}",
        "  sweep_example/salt_and_pepper.py  a1a1a1a1a1a1      b2b2b2b2b2b2",
        "  git_commit                        c3c3c3c3c3c3      d4d4d4d4d4d4+changes",
        "",
        "environment: the same",
        "",
        "results",
        f"                 {RUN}    {OTHER}",
        "  test_accuracy  56.666666666666664  -",
    ]


def test_long_values_stand_one_below_the_other():
    command = "sweep run some/long/spec.yaml --executor inline"
    lines = page(environment=[("command", command, f"{command} --slots 1"), ("threads", 1, 2)])
    assert lines[lines.index("environment") :][:6] == [
        "environment",
        f"           {RUN}  {OTHER}",
        "  threads  1                 2",
        "  command",
        f"    {RUN}  {command}",
        f"    {OTHER}  {command} --slots 1",
    ]
    only_long = page(environment=[("command", command, None)])
    assert only_long[only_long.index("environment") + 1] == "  command"


def test_digests_that_begin_alike_are_shown_whole():
    one, other = f"{'a' * 60}0000", f"{'a' * 60}1111"
    lines = page(code=[("source", one, other)])
    assert [line.split()[-1] for line in lines[4:6]] == [one, other]
