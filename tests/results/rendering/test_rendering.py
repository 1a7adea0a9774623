from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from dataclasses import replace
from html.parser import HTMLParser

import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from reference_report import report
from results.analysis.pivot import pivot
from results.errors import ResultsError, UnknownFormatError
from results.rendering import FORMATS, render, write
from results.rendering.as_table import as_table
from results.rendering.text_table import text_table

READ_BY_PEOPLE = ("table", "markdown", "latex", "html")


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


def test_a_report_renders_as_a_text_table(rows):
    found = report(rows, ["zero_stable", "root_moduli"], ["test_accuracy", "uniform[-0.08,0]"])
    assert render(found, "table").splitlines() == [
        "zero_stable   root_moduli        runs   unfinished   test_accuracy   uniform[-0.08,0]",
        "─" * 85,
        "no            1.84, 0.74, 0.74      1            0           71.40              61.24",
        "yes           1.00, 0.33, 0.33      2            1    86.00 ± 0.71              80.00",
        "3 runs; mean ± std (n-1); PARTIAL: 1 not done yet and left out",
    ]


def test_a_table_says_that_groups_mix_versions_of_code(rows):
    code = {"source": 2, "plugins.model a b": 3}
    mixed = replace(report(rows, ["zero_stable", "depth"], ["test_accuracy"]), code_versions=code)
    for data, way_out in (
        (mixed, "add --group-by {}"),
        (pivot(mixed, ["zero_stable"], ["depth"]), "add {} to --rows or --columns"),
    ):
        assert render(data, "table").splitlines()[-2:] == [
            f"groups mix 2 versions of the trainer's code: {way_out.format('source')}",
            "groups mix 3 versions of the code of model a b:"
            f" {way_out.format(repr('plugins.model a b'))}",
        ]
        assert json.loads(parquet_of(data).schema.metadata[b"sweep"])["code_versions"] == code


def test_number_format_follows_the_column_not_its_name(make):
    """An evaluation needs no bracket in its name, and an option may be called an accuracy."""
    rows = [
        make.row(
            number, seed=number, config={"seed": number, "target": {"accuracy[0]": 0.51234567}},
            evaluations=[{"name": "blur", "kind": "blur", "level": None, "accuracy": 61.239}],
        )
        for number in (1, 2)
    ]  # fmt: skip
    found = report(rows, ["target.accuracy[0]"], ["blur", "target.accuracy[0]"])
    line = render(found, "table").splitlines()[2].split()
    assert line == ["0.512346", "2", *("61.24", "±", "0.00"), *("0.5123", "±", "0")]
    assert render(rows, "table").splitlines()[2].split()[-1] == "61.24"
    table = pivot(
        report(rows, ["seed", "depth"], ["blur", "target.accuracy[0]"]), ["seed"], ["depth"]
    )
    assert [cell.best for line in table.cells for cell in line] == [{"blur"}, {"blur"}]
    schema = pyarrow.parquet.read_schema(io.BytesIO(render(found, "parquet")))
    units = {field.name: (field.metadata or {}).get(b"unit") for field in schema}
    assert units["blur_std"] == b"percent"
    assert units["target.accuracy[0]"] is units["target.accuracy[0]_mean"] is None


def test_a_report_renders_as_markdown(rows):
    found = report(rows, ["zero_stable"], ["test_accuracy"], ["state=done"])
    assert render(found, "markdown") == (
        "| zero_stable | runs | test_accuracy |\n"
        "| --- | ---: | ---: |\n"
        "| no | 1 | 71.40 |\n"
        "| yes | 2 | 86.00 ± 0.71 |\n"
        "\n"
        "3 runs; mean ± std (n-1)\n"
    )


def test_json_output_is_one_list_with_exact_values(rows):
    found = report(rows, ["root_moduli"])
    assert json.loads(render(found, "json")) == found.groups
    assert json.loads(render(rows, "json")) == rows
    assert json.loads(render([], "json")) == []


def test_csv_output_has_full_precision(rows):
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


def test_output_to_a_file_is_not_truncated(make):
    found = many_metrics(make)
    stream = io.StringIO()
    write(found, "table", stream)
    head, _, body, _ = stream.getvalue().splitlines()
    for name in found.metrics:
        assert name in head
    for value in values_of(found):
        assert value in body


@pytest.mark.parametrize("width", [20, 80, 200])
def test_a_narrow_terminal_wraps_headers_but_not_values(make, width):
    found = many_metrics(make)
    text = render(found, "table", width=width)
    for value in values_of(found):
        assert value in text
    assert "…" not in text
    assert len(text.splitlines()) > 4, "the headers are wrapped"
    assert max(map(len, text.splitlines())) < max(map(len, render(found, "table").splitlines()))


@pytest.mark.parametrize("width", [60, 80])
def test_what_is_wider_than_a_terminal_becomes_several_tables_with_the_same_keys(make, width):
    found = many_metrics(make)
    lines = render(found, "table", width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert len([line for line in lines if line.startswith("1.00, 0.33, 0.33")]) > 1
    for name in found.metrics:
        if "[" in name:
            assert sum(line.count(name) for line in lines) == 1, "not broken inside of brackets"
    for value in values_of(found):
        assert sum(line.count(value) for line in lines) == 1


def test_rows_of_several_tables_are_told_apart_by_the_first_columns_that_do():
    def heads(rows):
        lines = render(rows, "table", width=60).splitlines()
        return [lines[i - 1].split()[:2] for i, line in enumerate(lines) if line[:1] == "─"]

    wide = {f"column{n}": "x" * 20 for n in range(4)}
    pairs = [{"a": 1, "b": b, **wide} for b in (1, 2)]
    assert heads(pairs) == [["a", "b"]] * 2
    long = [{"a": "y" * 45, "b": b, **wide} for b in (1, 2)]
    assert {head[0] for head in heads(long)} == {"b"}
    keys = [{"a": b, "c": "v" * 40, "d": b, "e": "w" * 40} for b in (1, 1)]
    assert heads(keys) == [["#", "a"], ["#", "e"]]
    # Nothing fits: one table, which the terminal breaks.
    assert len(heads([{"a": "z" * 70, "b": 1}] * 2)) == 1


def test_headers_are_wrapped_between_words_and_no_more_than_their_cells_need():
    row = {"difference [95 % CI]": "0.30 [-52.58, 53.19]", "rate_per_hour": 1, "gaussian[0.3]": 2}
    head = render([row], "table", width=45).splitlines()
    assert "difference [95 % CI]   rate_per_   gaussian[0.3]" not in head
    assert any("difference [95 % CI]" in line for line in head)
    assert any("gaussian[0.3]" in line for line in head)
    assert any(line.endswith("per_  gaussian[0.3]") or "hour" in line for line in head)


def test_sentences_below_a_table_are_wrapped_between_words():
    text = render([{"a": 1}], "table", width=30, notes=["words " * 20])
    assert max(map(len, text.splitlines())) <= 30
    assert text.count("words") == 20


def test_long_numbers_of_schemes_are_rounded_unless_two_would_look_alike(make):
    third, long = "0.3333333333333333, 1; 1", "-1111111111111111/10000000000000000, 1; 1"
    rows = [make.row(n, scheme=scheme) for n, scheme in enumerate((third, long), start=1)]
    text = render(report(rows, ["scheme"], ["depth"]), "table")
    assert [line.split("   ")[0] for line in text.splitlines()[2:4]] == [
        "-0.111111, 1; 1",
        "0.333333, 1; 1",
    ]
    near = make.row(3, scheme="0.3333333333333334, 1; 1")
    assert third in render(report([rows[0], near], ["scheme"], ["depth"]), "table")
    assert third in render([rows[0], near], "table")


def test_a_sentence_that_is_wider_than_a_terminal_is_wrapped_between_words():
    note = "no such run; to add: zerosnet {alpha: [3.75, -4.0, 1.25], beta: -0.5}, depth 32"
    rows = [
        {"row": "32 layers", "published": 77.55, "note": note},
        {"row": "44 layers", "published": 78.5, "note": "here"},
    ]
    shown = as_table(text_table(rows), width=60).splitlines()
    assert shown[shown.index("") + 3 :] == [
        "32 layers   no such run; to add: zerosnet {alpha: [3.75,",
        "            -4.0, 1.25], beta: -0.5}, depth 32",
        "44 layers   here",
    ]
    assert shown[2:4] == ["32 layers       77.55", "44 layers        78.5"]


def test_a_table_that_fits_is_not_wrapped(rows):
    found = report(rows, ["zero_stable"], ["test_accuracy"])
    assert render(found, "table", width=100) == render(found, "table")


def test_the_terminal_sets_the_table_width(make):
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


def test_an_ascii_stream_gets_ascii_output(rows):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    write(report(rows, ["zero_stable"], ["test_accuracy"]), "table", stream)
    stream.flush()
    assert b"86.00 +- 0.71" in raw.getvalue()
    assert b"\\u" not in raw.getvalue()


def test_names_that_look_like_markup_are_shown_verbatim(make):
    name = "fgsm[bold]"
    row = make.row(1, evaluations=[{"name": name, "kind": "a", "level": 1.0, "accuracy": 5.0}])
    assert name in render(report([row], []), "table")
    assert name in render([row], "table")
    assert name in render([{"x": name}], "table")
    assert "a\\|b" in render([{"x": "a|b"}], "markdown")


def test_every_format_renders_empty_data(make):
    empty = report([make.row(1, state="queued")], ["depth"], ["test_accuracy"])
    for format_ in FORMATS:
        for data in (empty, pivot(report([], ["depth", "seed"]), ["depth"], ["seed"]), []):
            assert render(data, format_)
    for format_ in READ_BY_PEOPLE:
        assert "PARTIAL: 1 not done yet" in render(empty, format_)
        assert "nothing to show" in render([], format_)
    assert render(empty, "csv") == "depth,runs\n"
    assert parquet_of(empty).column_names == ["depth", "runs"]
    assert render([], "table") == "nothing to show\n"


def test_an_unknown_format_error_lists_the_known_formats():
    with pytest.raises(UnknownFormatError, match=r"unknown format 'jsn'; did you mean 'json'\?"):
        render([], "jsn")


@pytest.fixture(scope="module")
def table_of_depths(make):
    """Two schemes at two depths; the second has no run at depth 44."""
    rows = [
        make.row(1, test_accuracy=90.0, depth=44),
        make.row(2, test_accuracy=91.0, depth=32),
        make.row(3, test_accuracy=92.0, depth=32),
        make.row(4, test_accuracy=80.5, depth=32, scheme="1, 1, 1; 1"),
        make.row(5, state="queued", depth=44, scheme="1, 1, 1; 1", test_accuracy=None),
    ]
    found = report(rows, ["scheme", "depth"], ["test_accuracy"])
    return pivot(found, ["scheme"], ["depth"])


NOTE = (
    "4 runs, 1 to 2 a cell; test_accuracy, mean ± std (n-1); best of each column {};"
    " PARTIAL: 1 not done yet and left out"
)


def test_a_pivot_table_renders_as_text(table_of_depths):
    assert render(table_of_depths, "table", notes=["And a note."]).splitlines() == [
        "scheme                     depth 32   depth 44",
        "─" * 46,
        "1, 1, 1; 1                    80.50",
        "1/3, 5/9, 1/9; 16/9   *91.50 ± 0.71      90.00",
        NOTE.format("marked *"),
        "And a note.",
    ]


def test_a_pivot_table_renders_as_markdown(table_of_depths):
    assert render(table_of_depths, "markdown", notes=["And a note."]) == (
        "| scheme | depth 32 | depth 44 |\n"
        "| --- | ---: | ---: |\n"
        "| 1, 1, 1; 1 | 80.50 |  |\n"
        "| 1/3, 5/9, 1/9; 16/9 | **91.50 ± 0.71** | 90.00 |\n"
        "\n"
        f"{NOTE.format('in bold')}\n"
        "\n"
        "And a note.\n"
    )


def test_a_pivot_table_renders_as_latex(table_of_depths):
    note = NOTE.format("in bold").replace("_", "\\_").replace("±", "$\\pm$")
    assert render(table_of_depths, "latex", notes=["And a note."]).splitlines() == [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}[!t]",
        r"\begin{tabular*}{\linewidth}{@{\extracolsep{\fill}}lrr}",
        r"\toprule",
        r"scheme & depth 32 & depth 44 \\",
        r"\midrule\addlinespace[2.5pt]",
        r"1, 1, 1; 1 & 80.50 &  \\",
        r"1/3, 5/9, 1/9; 16/9 & \textbf{91.50 $\pm$ 0.71} & 90.00 \\",
        r"\bottomrule",
        r"\end{tabular*}",
        r"\begin{minipage}{\linewidth}",
        note + r"\\",
        r"And a note.\\",
        r"\end{minipage}",
        r"\end{table}",
    ]


def test_a_pivot_table_renders_as_html(table_of_depths):
    found = HtmlTable.read(render(table_of_depths, "html", notes=["And a note."]))
    assert found.rows == [
        ["scheme", "depth 32", "depth 44"],
        ["1, 1, 1; 1", "80.50", ""],
        ["1/3, 5/9, 1/9; 16/9", "91.50 ± 0.71", "90.00"],
        [NOTE.format("in bold")],
        ["And a note."],
    ]
    assert found.bold == ["91.50 ± 0.71"]


def test_data_formats_write_a_pivot_table_in_long_exact_form(table_of_depths):
    found = json.loads(render(table_of_depths, "json"))
    assert found == table_of_depths.groups
    assert [(g["scheme"], g["depth"], g["test_accuracy_best"]) for g in found] == [
        ("1, 1, 1; 1", 32, False),
        ("1/3, 5/9, 1/9; 16/9", 32, True),
        ("1/3, 5/9, 1/9; 16/9", 44, False),
    ]
    lines = list(csv.DictReader(io.StringIO(render(table_of_depths, "csv"))))
    assert [list(line) for line in lines] == [list(group) for group in found]
    assert float(lines[1]["test_accuracy_std"]) == found[1]["test_accuracy_std"]
    assert parquet_of(table_of_depths).to_pylist() == found


def test_several_metrics_are_separate_column_groups(make):
    noise = {"name": "gaussian[0.3]", "kind": "gaussian", "level": 0.3}
    rows = [
        make.row(n, depth=depth, evaluations=[{**noise, "accuracy": 60.0 + n}])
        for n, depth in ((1, 32), (2, 44))
    ]
    found = report(rows, ["scheme", "depth"], ["test_accuracy", "gaussian[0.3]"])
    table = pivot(found, ["scheme"], ["depth"])
    assert render(table, "table").splitlines()[:2] == [
        "                      test_accuracy   test_accuracy   gaussian[0.3]   gaussian[0.3]",
        "scheme                     depth 32        depth 44        depth 32        depth 44",
    ]
    assert "| test_accuracy, depth 32 | test_accuracy, depth 44 |" in render(table, "markdown")
    latex = render(table, "latex")
    assert r"\multicolumn{2}{c}{test\_accuracy} & \multicolumn{2}{c}{gaussian[0.3]} \\" in latex
    assert r"\cmidrule(lr){2-3} \cmidrule(lr){4-5}" in latex
    assert HtmlTable.read(render(table, "html")).rows[:2] == [
        ["scheme", "test_accuracy", "gaussian[0.3]"],
        ["depth 32", "depth 44", "depth 32", "depth 44"],
    ]


def test_a_fully_diverged_group_is_marked_in_a_pivot_table(make):
    nothing = {"diverged": True, "test_accuracy": None}
    rows = [make.row(1), make.row(2, depth=44, **nothing), make.row(3, depth=44, **nothing)]
    table = pivot(report(rows, ["scheme", "depth"], ["test_accuracy"]), ["scheme"], ["depth"])
    for format_ in READ_BY_PEOPLE:
        text = render(table, format_)
        assert text.count("diverged") == 2
        assert "2 runs diverged" in text


def test_null_is_a_dash_in_each_format():
    row = {"key": None, "test_accuracy": 1.0}
    assert render([row], "table").splitlines()[-1].split() == ["-", "1.00"]
    assert "| - | 1.00 |" in render([row], "markdown")
    assert "-- & 1.00" in render([row], "latex")
    assert HtmlTable.read(render([row], "html")).rows[-1] == ["–", "1.00"]


def test_means_are_never_minus_zero_and_counts_have_no_decimals(make):
    rows = [make.row(n, generalization_gap=-0.001, seed=n) for n in (1, 2)]
    found = report(rows, ["depth"], ["generalization_gap", "parameters", "training.optimizer.lr"])
    values = render(found, "table").splitlines()[2].split("  ")
    assert [v.strip() for v in values if v][2:] == ["0.00 ± 0.00", "471834", "0.1 ± 0"]


def test_only_a_terminal_gets_bold_text(table_of_depths):
    plain = render(table_of_depths, "table")
    bold = render(table_of_depths, "table", bold=True)
    assert "\x1b" not in plain
    assert re.findall(r"\x1b\[1m(.+?)\x1b\[0m", bold) == ["91.50 ± 0.71"]
    assert on_a_terminal(table_of_depths, "xterm-256color") == bold
    assert on_a_terminal(table_of_depths, "dumb") == plain
    assert "\x1b" not in "".join(str(render(table_of_depths, f)) for f in FORMATS if f != "parquet")


def on_a_terminal(data, kind) -> str:
    """What `write` shows on a terminal of 200 columns."""
    leader, follower = pty.openpty()
    with (
        pytest.MonkeyPatch.context() as patch,
        os.fdopen(follower, "w") as terminal,
        os.fdopen(leader, "rb", buffering=0) as screen,
    ):
        patch.setenv("TERM", kind)
        fcntl.ioctl(terminal.fileno(), termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
        write(data, "table", terminal)
        terminal.flush()
        return screen.read(65_536).decode().replace("\r\n", "\n")


def parquet_of(data) -> pyarrow.Table:
    return pyarrow.parquet.read_table(io.BytesIO(render(data, "parquet")))


def test_parquet_output_has_types_units_and_a_description(rows):
    found = report(rows, ["zero_stable", "root_moduli"], ["test_accuracy", "train_seconds"])
    table = parquet_of(found)
    assert table.to_pylist() == found.groups
    types = {field.name: str(field.type) for field in table.schema}
    assert types["zero_stable"] == "bool"
    assert types["root_moduli"] == "list<element: double>"
    assert types["runs"] == "int64"
    assert types["test_accuracy_std"] == "double"
    assert table.schema.field("test_accuracy_mean").metadata == {b"unit": b"percent"}
    assert table.schema.field("train_seconds_std").metadata == {b"unit": b"seconds"}
    content = json.loads(table.schema.metadata[b"sweep"])
    assert content["content"] == "report"
    assert content["group_by"] == ["zero_stable", "root_moduli"]
    assert (content["runs"], content["unfinished"]) == (3, 1)


def test_an_all_null_column_keeps_its_type_in_parquet(make):
    table = parquet_of([make.row(1, test_accuracy=None, diverged=None, order=None, alpha=None)])
    types = {field.name: str(field.type) for field in table.schema}
    assert types["test_accuracy"] == "double"
    assert types["order"] == "int64"
    assert types["alpha"] == "list<element: double>"


def test_parquet_is_refused_on_a_terminal(rows):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw)
    write(rows, "parquet", stream)
    assert raw.getvalue() == render(rows, "parquet")
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal, os.fdopen(leader, "rb"):
        for text_only in (terminal, io.StringIO()):
            with pytest.raises(ResultsError, match=r"parquet .* --output FILE"):
                write(rows, "parquet", text_only)


VALUES = {
    "number": st.floats() | st.none(),
    "count": st.integers(-(2**63), 2**63 - 1) | st.none(),
    "flag": st.booleans() | st.none(),
    "text": st.text(st.characters(exclude_categories=["Cs"])) | st.none(),
    "list": st.lists(st.floats(allow_nan=False, allow_infinity=False)) | st.none(),
    "config": st.dictionaries(st.sampled_from("abc"), st.integers(0, 9)),
}
RECORDS = st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=5)


def expected(value):
    """As JSON has it: what is not finite is null."""
    return None if isinstance(value, float) and value - value != 0 else value


@given(RECORDS)
def test_json_csv_and_parquet_keep_every_bit_of_floats(records):
    from_json = json.loads(render(records, "json"))
    from_csv = list(csv.DictReader(io.StringIO(render(records, "csv", raw=True), newline="")))
    from_parquet = parquet_of(records).to_pylist()
    assert len(from_json) == len(from_csv) == len(from_parquet) == len(records)
    for record, j, c, p in zip(records, from_json, from_csv, from_parquet, strict=True):
        for name, value in record.items():
            value = expected(value)
            assert j[name] == value
            if name == "text":
                assert c[name] == (value or "")
            else:
                assert (json.loads(c[name]) if c[name] else None) == value
            assert (json.loads(p[name]) if name == "config" else p[name]) == value


@given(st.lists(st.none() | st.booleans() | st.integers() | st.text("ab") | st.floats(0, 1)))
def test_a_column_of_mixed_types_survives_parquet(values):
    column = parquet_of([{"x": value} for value in values] or [{"x": None}])["x"].to_pylist()
    if all(isinstance(v, str | None) for v in values):
        assert column == (values or [None])
    else:
        read = [json.loads(v) if isinstance(v, str) else v for v in column]
        assert read == values


HOSTILE = [
    "a_b%c&d#e{f}g~h^i\\j$k",
    "<script>alert('x')</script>",
    '</td></table><b>"&amp;&#60;',
    "a|b||c\\|d",
    "*bold* **b** _i_ __u__ `code` ~~s~~",
    "[link](http://example.org) ![i](x) [a]: b",
    "[2em] start",
    "* star",
    "{{m^2}} {x} {{<b>}}",
    "\\input{/etc/passwd} \\\\",
    "± – λ × é 漢字 🙂",
    "-1 --- 'quoted' ``x''",
    "$x$ \\begin{table} %",
    "{x}",
    "NA",
    "nan",
    "",
]


class HtmlTable(HTMLParser):
    """The texts of each row's cells, and those in bold type, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.bold: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str | None] = []
        self.cell: list[str] | None = None

    @classmethod
    def read(cls, text: str) -> HtmlTable:
        reader = cls()
        reader.feed(text)
        reader.close()
        return reader

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.ids += [value for name, value in attributes if name == "id"]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.cell = []
            self.is_bold = "bold" in (dict(attributes).get("style") or "")

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            text = "".join(self.cell).strip()
            self.rows[-1].append(text)
            self.cell = None
            if self.is_bold:
                self.bold.append(text)

    def handle_data(self, data):
        if self.cell is not None:
            self.cell.append(data)


def latex_cells(line: str) -> list[str]:
    """The texts of a row's cells, as LaTeX prints them."""
    assert line.endswith(r" \\")
    cells = re.split(r"(?<!\\) & ", line.removesuffix(r" \\"))
    return [printed(cell.strip()) for cell in cells]


COMMANDS = {
    r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^",
    r"\textless{}": "<", r"\textgreater{}": ">", r"\textbar{}": "|", r"$\pm$": "±", r"$-$": "-",
    r"$\times$": "×", r"$\lambda$": "λ", "{}": "",
} | {f"\\{c}": c for c in "&%$#_{}"}  # fmt: skip


def printed(latex: str) -> str:
    """The text of a cell; fails on any command or special character that is not known."""
    token = "|".join(map(re.escape, sorted(COMMANDS, key=len, reverse=True)))
    assert re.fullmatch(rf"(?:{token}|[^\\&%$#_{{}}~^<>|])*", latex), latex
    return re.sub(token, lambda match: COMMANDS[match.group()], latex)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_rendered_verbatim_in_every_format(name):
    records = [{"first": name, "x" + name: name}, {"first": "b", "x" + name: "c"}]

    lines = render(records, "table", notes=[name]).splitlines()
    assert lines[0].split("   ", 1)[1].strip() == ("x" + name).strip()
    assert lines[-1] == name
    assert lines[2].strip().startswith(name)

    found = HtmlTable.read(render(records, "html", notes=[name]))
    assert found.rows == [["first", "x" + name], [name, name], ["b", "c"], [name]]
    assert not {"script", "b", "img", "a", "link"} & set(found.tags)

    shown = HtmlTable.read(
        MarkdownIt("commonmark")
        .enable(["table", "strikethrough"])
        .render(render(records, "markdown", notes=[name]))
    )
    assert shown.rows == [["first", "x" + name], [name, name], ["b", "c"]]
    assert set(shown.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "p"}

    latex = render(records, "latex", notes=[name])
    assert_complete(latex, columns=2)
    body = latex.splitlines()
    head = body.index(r"\toprule")
    plain = name.replace("–", "--").strip()
    assert latex_cells(body[head + 1]) == ["first", "x" + plain]
    assert latex_cells(body[head + 3]) == [plain, plain]
    assert not re.match(r"\s*[\[*]", body[head + 3]), "the row before would take it"

    for format_ in ("json", "csv", "parquet"):
        assert render(records, format_)
    assert json.loads(render(records, "json")) == records
    assert list(csv.DictReader(io.StringIO(render(records, "csv", raw=True)))) == records
    assert parquet_of(records).to_pylist() == records


def assert_complete(latex: str, columns: int) -> None:
    """Environments and braces are closed, the rules are there, and every row has its cells."""
    text = re.sub(r"(?<!\\)%.*", "", latex)
    depth = 0
    for token in re.findall(r"\\.|[{}]", text):
        depth += {"{": 1, "}": -1}.get(token, 0)
        assert depth >= 0
    assert depth == 0
    opened = []
    for verb, environment in re.findall(r"\\(begin|end)\{(\w+\*?)\}", text):
        if verb == "begin":
            opened.append(environment)
        else:
            assert opened.pop() == environment
    assert opened == []
    assert [text.count(rf"\{rule}rule") for rule in ("top", "mid", "bottom")] == [1, 1, 1]
    grid = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    for line in grid.splitlines():
        if line.endswith(r"\\"):
            spans = sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", line))
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + spans == columns
    spec = re.search(r"\\begin\{tabular\*\}\{\\linewidth\}\{@\{.*?\}\}([lr]+)\}", latex)
    assert spec
    assert len(spec[1]) == columns


@pytest.mark.slow
def test_hostile_names_are_rendered_verbatim_in_pivot_tables(make):
    """As metrics, values and headers at once."""
    rows = [
        make.row(
            n,
            scheme=name,
            dataset=name,
            evaluations=[{"name": f"{name}[{i}]", "kind": "k", "level": 1.0, "accuracy": 50.0 + n}
                         for i in range(2)],
        )
        for n, name in enumerate(HOSTILE)
    ]  # fmt: skip
    metrics = [f"{name}[0]" for name in HOSTILE]
    found = report(rows, ["scheme", "dataset"], metrics)
    table = pivot(found, ["scheme"], ["dataset"])
    assert_complete(render(table, "latex"), columns=1 + len(HOSTILE) ** 2)
    read = HtmlTable.read(render(table, "html"))
    assert read.rows[0] == ["scheme", *(m.strip() for m in metrics)]
    assert sorted(read.rows[1]) == sorted(HOSTILE * len(HOSTILE))
    assert len(read.ids) == len(set(read.ids))
    for format_ in ("table", "markdown", "json", "csv", "parquet"):
        assert render(table, format_)


def test_no_control_character_reaches_a_terminal():
    name = "a\x1b[2Jb\x07\r\nc\x00\ud800\x9b"
    records = [{"first": name, name: "x"}]
    for format_ in READ_BY_PEOPLE:
        text = render(records, format_, notes=[name])
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800]", text)
        assert "x1b" in text
        text.encode()


def test_html_output_loads_nothing_and_is_deterministic(rows):
    text = render(rows, "html")
    assert text == render(rows, "html")
    assert text != render(rows[:2], "html")
    assert not re.search(r"https?:|//|url\(|@import|<script|<link|<img", text)


def test_json_and_html_on_an_ascii_stream_keep_their_meaning(rows):
    records = [{"name": "é ± 漢"}]
    for format_, read in (("json", json.loads), ("html", lambda t: HtmlTable.read(t).rows)):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="ascii")
        write(records, format_, stream)
        stream.flush()
        assert read(raw.getvalue().decode()) == read(render(records, format_))


def test_importing_rendering_loads_no_format_library():
    heavy = ["pandas", "numpy", "pyarrow", "great_tables", "rich", "matplotlib", "scipy"]
    code = (
        "import sys, results.rendering, results.analysis.pivot, results.html_report;"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_metrics_of_trainers_are_columns_with_their_unit_and_decimals(make):
    said = {"name": "f1", "better": "higher", "unit": "points", "decimals": 3, "label": None}
    none = dict.fromkeys(("better", "unit", "decimals", "label"))
    rows = [
        make.row(1, metrics=[{**said, "value": 0.51234}, {**none, "name": "b", "value": None}]),
        make.row(2),
    ]
    (first, second) = csv.DictReader(io.StringIO(render(rows, "csv")))
    assert (first["f1"], first["b"], second["f1"]) == ("0.51234", "", "")
    assert "metrics" not in first
    table = render(rows, "table").splitlines()
    assert table[0].split()[-2:] == ["f1", "b"]
    assert "0.512" in table[2]
    assert "0.5123" not in table[2]
    schema = pyarrow.parquet.read_schema(io.BytesIO(render(rows, "parquet")))
    assert [str(schema.field(name).type) for name in ("f1", "b")] == ["double", "double"]
    assert schema.field("f1").metadata[b"unit"] == b"points"
