from __future__ import annotations

import csv
import io

import pytest

from results.rendering import render


def cells(rows, **options):
    return list(csv.reader(io.StringIO(render(rows, "csv", **options))))


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", '=HYPERLINK("http://example.org")', "+cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0",
        "@SUM(A1)", "\t=1", "\r=1", " =1", "\uff1d1+1", "-1/x", "-", "+", "--1", "-1e+300@1e167576",
    ],
)  # fmt: skip
def test_text_that_a_spreadsheet_computes_has_an_apostrophe_before_it(text):
    rows = [{"name": text, text: "x"}]
    assert cells(rows) == [["name", f"'{text}"], [f"'{text}", "x"]]
    assert cells(rows, raw=True) == [["name", text], [text, "x"]]


@pytest.mark.parametrize(
    "value",
    [
        "-3, 5, -1; 4",
        "-9/5; 1",
        "-0.75, 2, -1e-300; 2.5",
        "+3",
        "-1/5",
        "1=1",
        "a-b",
        "lambda_n",
        "",
    ],
)
def test_labels_of_numbers_and_other_text_stay_as_they_are(value):
    assert cells([{"name": "x", "scheme": value}]) == [["name", "scheme"], ["x", value]]


def test_numbers_stay_numbers():
    row = {
        "gap": -4.1,
        "count": -3,
        "none": None,
        "flag": False,
        "alpha": [-1.5, 2],
        "tiny": -1e-300,
    }
    (_, line) = cells([row])
    assert line == ["-4.1", "-3", "", "false", "[-1.5, 2]", "-1e-300"]
