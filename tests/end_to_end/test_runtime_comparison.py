"""ZeroSNet's Table 9 compared with runs with the probe `runtime`, as a user asks for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import command_line

SPECS = Path(__file__).parents[2] / "specs"

# A real network on real images, as small as the table's rows allow: one batch of each part.
DIGITS = """
name: digits_runtime
published: zerosnet/table9
dataset: {name: digits, subset: 128}
depth: 20
training: {epochs: 1, batch_size: 128}
probes: [{probe: runtime, batch_sizes: [128], batches: 1}]
zip:
  model: [preresnet, zerosnet]
  scheme: [{alpha: 1}, {lambda: -9/5}]
"""


def sweep(*arguments: str) -> Result:
    said = command_line.sweep(*arguments)
    assert said.exit_code == 0, said.stderr
    return said


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The spec of the table, with times that are known beforehand."""
    folder = str(tmp_path_factory.mktemp("timed"))
    sweep(
        "run", str(SPECS / "runtime_table9.yaml"), "--executor", "inline", "--home", folder,
        "--set", "trainer=probing_trainers:timed", "--set", "resources.gpus=0",
    )  # fmt: skip
    return folder


def test_every_runtime_row_has_our_value_and_every_pair_a_ratio(home: str) -> None:
    said = sweep("compare", "runtime_table9", "--home", home, "--format", "json").stdout
    document = json.loads(said)
    assert {row["state"] for row in document["rows"]} == {"not comparable"}
    ours = {(row["model"], row["quantity"]): row["our_mean"] for row in document["rows"]}
    assert len(ours) == 12
    assert ours["preresnet", "train_seconds[128]"] == 16 * (1 + 1 / 128)
    assert ours["zerosnet", "test_seconds[4096]"] == 1.25 * 2 * (1 + 1 / 4096)
    assert all(row["difference"] is row["within"] is None for row in document["rows"])
    assert [ratio["here"] for ratio in document["ratios"]] == [1.25] * 6
    assert [ratio["agrees"] for ratio in document["ratios"]] == [True, None, *[True] * 4]


SENTENCE = "zerosnet over preresnet, train_seconds[128]: 1.085 in the paper, 1.250 here; the same"


@pytest.mark.parametrize("kind", ["table", "markdown", "latex", "html"])
def test_text_formats_of_compare_show_the_runtime_ratios(home: str, kind: str) -> None:
    said = sweep("compare", "runtime_table9", "--home", home, "--format", kind).stdout
    assert SENTENCE in said.replace("\\", "")
    assert "20.16 (n=1)" in said
    assert "runs lack" not in said


def test_csv_and_parquet_have_the_runtime_ratios_as_columns(home: str, tmp_path: Path) -> None:
    import pandas as pd

    for kind, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
        path = str(tmp_path / kind)
        sweep("compare", "runtime_table9", "--home", home, "--format", kind, "--output", path)
        table: Any = read(path).set_index(["model", "quantity"])
        row = table.loc["zerosnet", "test_seconds[512]"]
        assert (row["ratio_to"], row["our_ratio"]) == ("preresnet", 1.25)
        assert row["published_ratio"] == pytest.approx(143 / 140)


def test_the_html_report_has_the_runtime_comparison(home: str, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    sweep("report", "runtime_table9", "--home", home, "--html", str(page))
    text = page.read_text()
    assert "runtime_table9 compared with ZeroSNet, Table 9" in text
    assert SENTENCE in text


def test_filters_also_select_the_probed_runs(home: str) -> None:
    said = sweep(
        "compare", "runtime_table9", "--home", home, "--where", "model=zerosnet",
        "--format", "json",
    ).stdout  # fmt: skip
    document = json.loads(said)
    assert sum(row["our_mean"] is not None for row in document["rows"]) == 6
    assert document["ratios"] == []


def test_measured_times_of_real_networks_are_compared_with_the_table(tmp_path: Path) -> None:
    spec, home = tmp_path / "digits.yaml", str(tmp_path / "home")
    spec.write_text(DIGITS)
    sweep("run", str(spec), "--executor", "inline", "--home", home)
    said = sweep("compare", "digits_runtime", "--home", home, "--format", "json").stdout
    document = json.loads(said)
    measured = [row for row in document["rows"] if row["our_mean"] is not None]
    assert [row["quantity"] for row in measured] == [
        "train_seconds[128]", "train_seconds[128]", "test_seconds[128]", "test_seconds[128]",
    ]  # fmt: skip
    assert all(row["our_mean"] > 0 and row["our_dataset"] == "digits" for row in measured)
    for ratio, pair in zip(document["ratios"], (measured[:2], measured[2:]), strict=True):
        assert ratio["here"] == pytest.approx(pair[1]["our_mean"] / pair[0]["our_mean"])
        assert ratio["agrees"] == (ratio["here"] > 1)
    assert document["conditions"] == [
        "dataset: digits here, cifar10 in the paper",
        "training images: a subset of 128 here, all in the paper",
    ]
    lacking = [row["note"] for row in document["rows"] if row["our_mean"] is None]
    assert len(lacking) == 8
    add = "add the probe {probe: runtime, batch_sizes: [128, 512, 4096]}"
    assert all(note.endswith(add) for note in lacking)
