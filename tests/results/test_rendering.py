from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import struct
import termios

import pytest

from results.errors import UnknownFormatError
from results.rendering import FORMATS, render, write
from results.reports import report


@pytest.fixture(scope="module")
def rows(make):
    noise = {"name": "uniform[-0.08,0]", "kind": "uniform", "level": 0.08}
    return [
        make.row(1, test_accuracy=71.404, root_moduli=[1.84, 0.7371, 0.7371], zero_stable=False,
                 evaluations=[{**noise, "accuracy": 61.239}]),
        make.row(2, test_accuracy=85.5, evaluations=[{**noise, "accuracy": None}]),
        make.row(3, test_accuracy=86.5, evaluations=[{**noise, "accuracy": 80.0}]),
        make.row(4, state="queued", test_accuracy=None),
    ]  # fmt: skip


def test_a_report_as_a_table(rows):
    found = report(rows, ["zero_stable", "root_moduli"], ["test_accuracy", "uniform[-0.08,0]"])
    assert render(found, "table").splitlines() == [
        "zero_stable   root_moduli        runs   unfinished   test_accuracy   uniform[-0.08,0]",
        "─" * 85,
        "no            1.84, 0.74, 0.74      1            0           71.40              61.24",
        "yes           1.00, 0.33, 0.33      2            1    86.00 ± 0.71              80.00",
        "3 runs; mean ± std (n-1); PARTIAL: 1 not done yet and left out",
    ]


def test_a_report_as_markdown(rows):
    found = report(rows, ["zero_stable"], ["test_accuracy"], ["state=done"])
    assert render(found, "markdown") == (
        "| zero_stable | runs | test_accuracy |\n"
        "| --- | ---: | ---: |\n"
        "| no | 1 | 71.40 |\n"
        "| yes | 2 | 86.00 ± 0.71 |\n"
        "\n"
        "3 runs; mean ± std (n-1)\n"
    )


def test_json_is_one_list_with_the_exact_values(rows):
    found = report(rows, ["root_moduli"])
    assert json.loads(render(found, "json")) == found.groups
    assert json.loads(render(rows, "json")) == rows
    assert json.loads(render([], "json")) == []


def test_csv_has_every_value_at_full_precision(rows):
    found = report(rows, ["zero_stable", "root_moduli"])
    lines = list(csv.DictReader(io.StringIO(render(found, "csv"))))
    assert [list(line) for line in lines] == [list(group) for group in found.groups]
    for line, group in zip(lines, found.groups, strict=True):
        for key, value in group.items():
            assert (json.loads(line[key]) if line[key] else None) == value
    lines = list(csv.DictReader(io.StringIO(render(rows, "csv"))))
    assert lines[0]["uniform[-0.08,0]"] == "61.239"
    assert lines[1]["uniform[-0.08,0]"] == ""
    assert lines[0]["scheme"] == "1/3, 5/9, 1/9; 16/9"
    assert json.loads(lines[0]["alpha"]) == rows[0]["alpha"]


def many_metrics(make):
    names = [f"uniform[-0.{n},0]" for n in range(10, 22)]
    rows = [
        make.row(
            seed,
            evaluations=[
                {"name": name, "kind": "u", "level": 0.1, "accuracy": 10.0 + seed + n}
                for n, name in enumerate(names)
            ],
        )
        for seed in (1, 2)
    ]
    return report(rows, ["root_moduli"])


def values_of(found):
    return [
        f"{group[f'{m}_mean']:.2f} ± {group[f'{m}_std']:.2f}"
        for group in found.groups
        for m in found.metrics
    ]


def test_without_a_terminal_nothing_is_cut(make):
    found = many_metrics(make)
    stream = io.StringIO()
    write(found, "table", stream)
    head, _, body, _ = stream.getvalue().splitlines()
    for name in found.metrics:
        assert name in head
    for value in values_of(found):
        assert value in body


@pytest.mark.parametrize("width", [20, 80, 200])
def test_a_narrow_terminal_wraps_headers_and_keeps_values(make, width):
    found = many_metrics(make)
    text = render(found, "table", width=width)
    for value in values_of(found):
        assert value in text
    assert "…" not in text
    assert len(text.splitlines()) > 4, "the headers are wrapped"
    assert max(map(len, text.splitlines())) < max(map(len, render(found, "table").splitlines()))


def test_a_table_that_fits_is_not_wrapped(rows):
    found = report(rows, ["zero_stable"], ["test_accuracy"])
    assert render(found, "table", width=100) == render(found, "table")


def test_a_terminal_sets_the_width(make):
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal, os.fdopen(leader, "rb", buffering=0) as screen:
        fcntl.ioctl(terminal.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        found = many_metrics(make)
        write(found, "table", terminal)
        terminal.flush()
        expected = render(found, "table", width=60).encode().replace(b"\n", b"\r\n")
        shown = b""
        while len(shown) < len(expected):
            shown += screen.read(4096)
    assert shown == expected


def test_a_stream_without_the_signs_gets_ascii(rows):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    write(report(rows, ["zero_stable"], ["test_accuracy"]), "table", stream)
    stream.flush()
    assert b"86.00 +- 0.71" in raw.getvalue()
    assert b"\\u" not in raw.getvalue()


def test_a_name_that_looks_like_markup_is_shown_as_it_is(make):
    name = "fgsm[bold]"
    row = make.row(1, evaluations=[{"name": name, "kind": "a", "level": 1.0, "accuracy": 5.0}])
    assert name in render(report([row], []), "table")
    assert name in render([row], "table")
    assert name in render([{"x": name}], "table")
    assert "a\\|b" in render([{"x": "a|b"}], "markdown")


def test_empty_data(make):
    empty = report([make.row(1, state="queued")], ["depth"], ["test_accuracy"])
    for format_ in FORMATS:
        assert render(empty, format_).endswith("\n")
    assert "PARTIAL: 1 not done yet" in render(empty, "table")
    assert render(empty, "csv") == "depth,runs\n"
    assert render([], "table") == "nothing to show\n"


def test_an_unknown_format_lists_the_known():
    with pytest.raises(UnknownFormatError, match=r"unknown format 'jsn'; did you mean 'json'\?"):
        render([], "jsn")
