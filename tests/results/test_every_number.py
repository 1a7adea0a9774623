"""Whatever was measured is asked for by its name, in every place where a number can be named.

Every number of a run has the same value here, so that each place has one answer for all of them.
"""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import replace
from types import SimpleNamespace

import pyarrow.parquet
import pytest

import results
from command_line import sweep
from results.comparison.compare import compare_sweep
from results.figures import possible
from results.figures.epoch_rows import epoch_values, metric_values
from results.html_report.build import build_page
from results.published import Network, PublishedRow, published_table
from results.queries.queries import Queries
from results.store.store import Store

LOWER, HIGHER = "lower", "higher"
NUMBERS = {
    "val/loss": LOWER,
    "f1": HIGHER,
    "tokens": None,
    "test_loss": LOWER,
    "gaussian[0.1]": HIGHER,
    "gaussian[0.1].loss": LOWER,
    "feature_norms.norm@block1": None,
}
SAID = {
    "val/loss": {"better": LOWER, "unit": "nats", "decimals": 3, "label": "Validation loss"},
    "f1": {"better": HIGHER},
}


@pytest.fixture(scope="module")
def lab(make, tmp_path_factory):
    """Sweep `s`: two schemes, two depths, two seeds; `broken`: a loss that is not finite."""
    url = f"sqlite:///{tmp_path_factory.mktemp('numbers')}/results.db"
    evaluation = make.evaluation(1)
    runs, values = [], []
    with Store.open(url) as store:

        def finish(run, value, loss):
            probes = [make.probe(epoch=epoch, value=value) for epoch in (0, 1)]
            own = {"f1": value, "tokens": value, "val/loss": loss}
            epochs = [{"epoch": epoch, "values": own} for epoch in (1, 2)]
            make.finish(
                store, run, test_loss=value, test_accuracy=90.0, probes=probes, metrics=own,
                epoch_metrics=epochs, metric_definitions=SAID, parameters=run.parameters,
                evaluations=[make.measured(evaluation, value) | {"loss": value}],
            )  # fmt: skip

        for stable in (False, True):
            for depth in (20, 32):
                for seed in (0, 1):
                    run = make.run(
                        len(runs) + 1, seed=seed, depth=depth, zero_stable=stable,
                        parameters=1000 * depth, alpha=[float(stable), 1.0], scheme=f"s{stable}",
                    )  # fmt: skip
                    config = run.config | {"model": {"name": run.model, "depth": depth}}
                    config |= {"scheme": {"label": run.scheme}, "seed": seed}
                    run.config.update(config)
                    runs.append(run)
                    values.append(1 + 10 * stable + depth / 10 + seed / 100)
        make.save(store, "s", runs, [evaluation])
        broken = [make.run(number, zero_stable=number > 10) for number in (10, 11)]
        make.save(store, "broken", broken, [evaluation])
        for run, value in zip(runs, values, strict=True):
            finish(run, value, value)
        for run in broken:
            finish(run, 5.0, None if run is broken[0] else 5.0)
    with Queries.open(url) as queries:
        yield SimpleNamespace(url=url, values=values, queries=queries)


@pytest.fixture
def ask(lab):
    """What a command says in JSON."""

    def asked(*arguments, command="report", of="s"):
        said = sweep(command, of, *arguments, "--format", "json", "--db", lab.url)
        assert said.exit_code == 0, said.stderr
        return json.loads(said.stdout)

    return asked


@pytest.mark.parametrize("name", NUMBERS)
def test_reports_filters_and_groups_take_it(lab, ask, name):
    by_stability = ask("--metric", name, "--group-by", "zero_stable")
    assert [group[f"{name}_mean"] for group in by_stability] == pytest.approx([3.605, 13.605])
    (kept,) = ask("--metric", name, "--group-by", "zero_stable", "--where", f"{name}>=4.2")[1:]
    assert (kept["runs"], kept[f"{name}_min"]) == (4, pytest.approx(13))
    assert not ask("--group-by", "depth", "--where", f"{name}=null")
    by_itself = ask("--group-by", name, "--metric", "depth")
    assert [group[name] for group in by_itself] == pytest.approx(lab.values)


@pytest.mark.parametrize(("name", "better"), NUMBERS.items())
def test_pivot_tables_take_it_and_mark_the_better(ask, name, better):
    cells = ask("--metric", name, "--rows", "zero_stable", "--columns", "depth")
    marked = {cell["zero_stable"] for cell in cells if cell[f"{name}_best"]}
    assert marked == {LOWER: {False}, HIGHER: {True}, None: set()}[better]
    assert len(ask("--rows", name, "--columns", "zero_stable", "--metric", "depth")) == 8


@pytest.mark.parametrize(("name", "better"), NUMBERS.items())
def test_tests_take_it_as_metric_and_as_key(ask, name, better):
    over_networks, over_runs = ask("--test", "zero_stable", "--metric", name)
    assert over_networks["difference"] == pytest.approx(10)
    assert over_networks["g"] > 0
    assert {over_networks["auc"], over_runs["auc"]} == {0 if better == LOWER else 1}
    one = ("--where", "depth=20", "--where", "seed=0")
    groups = ask("--test", name, "--metric", "depth", *one)
    assert (groups[0]["group1"], groups[0]["group2"]) == (3, 13)


def test_words_of_a_test_say_what_is_better(lab):
    said = sweep("report", "s", "--test", "zero_stable", "--db", lab.url,
                 *(f"--metric={name}" for name in NUMBERS)).stdout  # fmt: skip
    assert "val/loss: 13.605 ± 0.693 nats with zero_stable=true (4 runs of 2 networks)" in said
    assert "Less is better in val/loss and test_loss and gaussian[0.1].loss, and AUC" in said
    assert (
        "Whether more or less is better in tokens and feature_norms.norm@block1 is not known"
        in said
    )


def test_tables_for_other_programs_have_a_column_of_it(lab, tmp_path):
    asked = [f"--metric={name}" for name in NUMBERS]
    csv = sweep("report", "s", *asked, "--format", "csv", "--db", lab.url).stdout
    path = tmp_path / "report.parquet"
    done = sweep(
        "report", "s", *asked, "--format", "parquet", "--output", str(path), "--db", lab.url
    )
    assert done.exit_code == 0
    expected = {f"{name}_mean" for name in NUMBERS}
    assert expected <= set(csv.splitlines()[0].split(","))
    assert expected <= set(pyarrow.parquet.read_schema(path).names)


def test_data_frames_have_it(lab):
    with results.open(lab.url) as opened:
        report = opened.report("zero_stable", [*NUMBERS], sweeps="s")
        for name in NUMBERS:
            assert report[f"{name}_mean"].tolist() == pytest.approx([3.605, 13.605])
        filtered = opened.runs("s", where=[f"{name}>=4.2" for name in NUMBERS])
        assert filtered["val/loss"].tolist() == pytest.approx([4.2, 4.21, 13, 13.01, 14.2, 14.21])
        own = opened.metrics("s")
        assert own.groupby("metric").size().to_dict() == {"f1": 8, "tokens": 8, "val/loss": 8}
        assert own[own["metric"] == "val/loss"]["unit"].unique().tolist() == ["nats"]
        assert len(opened.epoch_metrics("s")) == 48
        assert opened.metrics("broken")["value"].isna().sum() == 1


def test_views_and_exported_files_have_it(lab, tmp_path):
    with sqlite3.connect(lab.url.removeprefix("sqlite:///")) as connection:
        for query in (
            "SELECT sum(value) FROM metrics_flat WHERE metric = 'val/loss' AND run_id < :last",
            "SELECT sum(value) / 2 FROM epoch_metrics_flat WHERE metric = 'f1' AND run_id < :last",
            "SELECT sum(loss) FROM evaluations_flat WHERE run_id < :last",
            "SELECT sum(value) / 2 FROM probes_flat WHERE run_id < :last",
            "SELECT sum(test_loss) FROM runs_flat WHERE run_id < :last",
        ):
            (total,) = connection.execute(query, {"last": f"{9:016x}"}).fetchone()
            assert total == pytest.approx(sum(lab.values))
    folder = tmp_path / "parquet"
    done = sweep("export", "s", "--format", "parquet", "--output", str(folder), "--db", lab.url)
    assert done.exit_code == 0, done.stderr
    for table, count in (("metrics", 24), ("epoch_metrics", 48)):
        (path,) = folder.rglob(f"{table}.parquet")
        assert pyarrow.parquet.read_metadata(path).num_rows == count


@pytest.mark.parametrize("name", NUMBERS)
def test_figures_take_it(lab, name):
    rows = lab.queries.run_rows(["s"], config=True, learned_coefficients=True, metrics=[name])
    epochs = [
        *epoch_values(lab.queries, ["s"], [])[0],
        *metric_values(lab.queries, ["s"], [], name)[0],
    ]
    found = possible(rows, epochs, metric=name)
    for kind in ("accuracy_by_scheme", "accuracy_by_parameters", "training_curves"):
        assert found[kind] is None


def test_a_figure_names_it_with_its_unit_and_counts_what_is_not_finite(lab, tmp_path):
    for of, kind in (("s", "training_curves"), ("broken", "accuracy_by_scheme")):
        done = sweep("plot", of, kind, "--metric", "val/loss", "--format", "svg", "--db", lab.url,
                     "--output", str(tmp_path))  # fmt: skip
        assert done.exit_code == 0, done.stderr
        svg = (tmp_path / f"{kind}-val,loss.svg").read_text()
        assert "Validation loss (nats)" in svg
        assert ("val/loss is not finite in" in svg) == (of == "broken")


def test_figures_of_another_metric_are_other_files(lab, tmp_path):
    common = ("--format", "svg", "--db", lab.url, "--output", str(tmp_path))
    for arguments, drawn in [
        (("training_curves",), ["training_curves"]),
        (("training_curves", "roots", "--metric", "f1"), ["training_curves-f1", "roots"]),
        # No epoch has it, so that the curves are those of accuracies.
        (("training_curves", "--metric", "gaussian[0.1].loss"), ["training_curves"]),
        (
            ("accuracy_by_scheme", "--metric", "gaussian[0.1].loss"),
            ["accuracy_by_scheme-gaussian[0.1].loss"],
        ),
    ]:
        said = sweep("plot", "s", *arguments, *common)
        assert said.stdout.splitlines() == [f"{tmp_path}/{name}.svg" for name in drawn]
    assert len([*tmp_path.iterdir()]) == 4


def test_the_page_has_it(lab):
    wanted = ["gaussian[0.1].loss"]
    page = build_page(lab.queries, ["broken"], [], ([], []), "zero_stable", [], wanted, "sweep")
    report, test, figures = page.sections
    assert report.tables[0].data.metrics == tuple(wanted)
    assert test.text[0].startswith("gaussian[0.1].loss: 5")
    captions = [figure.caption for figure in figures.figures]
    assert "gaussian[0.1].loss by scheme" in captions
    assert "Training curves: gaussian[0.1].loss" not in captions, "there is no loss at epochs"


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "s", "--metric", "f2"],
        ["report", "s", "--where", "f2>1"],
        ["report", "s", "--group-by", "f2"],
        ["report", "s", "--rows", "f2", "--columns", "depth"],
        ["report", "s", "--rows", "depth", "--columns", "f2"],
        ["report", "s", "--rows", "seed", "--columns", "depth", "--metric", "f2"],
        ["report", "s", "--test", "f2"],
        ["report", "s", "--test", "zero_stable", "--metric", "f2"],
        ["report", "s", "--html", "page.html", "--metric", "f2"],
        ["report", "s", "--html", "page.html", "--where", "f2=1"],
        ["plot", "s", "--metric", "f2"],
        ["plot", "s", "--where", "f2<1"],
    ],
)
def test_a_name_that_nobody_reported_is_an_error_that_lists_those_that_were(
    lab, tmp_path, arguments
):
    said = sweep(*arguments, "--db", lab.url, folder=tmp_path)
    assert said.exit_code == 2
    assert "'f2'; did you mean 'f1'? (known: " in said.stderr
    assert all(name in said.stderr for name in NUMBERS)
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite_are_null_and_counted(lab, ask):
    of_loss = ("--metric", "val/loss", "--group-by", "zero_stable")
    unstable, stable = ask(*of_loss, of="broken")
    assert (unstable["val/loss_mean"], unstable["not_finite"], stable["not_finite"]) == (None, 1, 0)
    (null,) = ask(*of_loss, "--where", "val/loss=null", of="broken")
    assert null["zero_stable"] is False
    tested, _ = ask("--test", "zero_stable", "--metric", "val/loss", of="broken")
    assert (tested["n1"], tested["not_finite1"], tested["not_finite2"]) == (0, 1, 0)
    pivoted = sweep("report", "broken", "--rows", "zero_stable", "--columns", "depth", "--metric",
                    "val/loss", "--db", lab.url).stdout  # fmt: skip
    assert "1 run with a number that is not finite" in pivoted
    words = sweep("report", "broken", "--test", "zero_stable", "--metric", "val/loss",
                  "--db", lab.url).stdout  # fmt: skip
    not_finite = r"val/loss is not finite in 0 of 1 run with zero_stable=true, 1 of 1 with"
    assert re.search(not_finite, words)


def test_the_gap_of_a_loss_is_positive_where_testing_is_worse(lab, ask):
    table = ask("--gap", "--metric", "test_loss", "--where", "depth=20")
    # Losses of training are 0.2 in all runs.
    assert [row["test_loss_gap"] for row in table] == pytest.approx([2.805, 12.805])
    assert [row["test_loss"] - row["train_loss"] for row in table] == pytest.approx([2.805, 12.805])
    for name, problem in (
        ("f1", "there is no gap of 'f1': name a metric test_NAME"),
        ("test_f1", "unknown metric 'train_f1'"),
    ):
        said = sweep("report", "s", "--gap", "--metric", name, "--db", lab.url)
        assert (said.exit_code, problem in said.stderr) == (2, True)


def test_a_published_table_of_a_loss_or_of_an_own_metric_is_compared(lab, make):
    row = PublishedRow(
        label="stable", metric="val/loss", mean=3.0, std=0.5, resolution=0.01, depth=20, runs=3,
        dataset="digits", network=Network(model="zerosnet"), zero_stable=True,
    )  # fmt: skip
    table = published_table("zerosnet/table3")
    metrics = ("val/loss", "test_loss", "f1")
    printed = replace(table, rows=tuple(replace(row, metric=name) for name in metrics))
    where = ["zero_stable=false", "depth=20"]
    found = compare_sweep(lab.queries, "s", printed, where)
    assert [line.ours.mean for line in found.compared] == pytest.approx([3.005] * 3)
    cells = found.summary_rows()
    assert [line["here"] for line in cells] == [
        "3.005 ± 0.007 (n=2)", "3.005 ± 0.007 (n=2)", "3.005 ± 0.007 (n=2)",
    ]  # fmt: skip
    assert cells[0]["difference"].startswith("+0.005 ± ")
    of_others = replace(printed, rows=(replace(row, metric="f2"),))
    (line,) = compare_sweep(lab.queries, "s", of_others, where).compared
    assert (line.state, line.note) == ("not comparable", "runs have no f2")
    broken = compare_sweep(lab.queries, "broken", replace(printed, rows=(
        replace(row, depth=32),)), ["zero_stable=false"])  # fmt: skip
    assert "no run has a finite val/loss: 1 not finite" in broken.compared[0].note


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        (["depth=21"], "no run has depth=21 (known: 20, 32)"),
        (["model=zeronet"], "no run has model=zeronet; did you mean 'zerosnet'? (known: zerosnet"),
        (["val/loss>20"], "no run has val/loss>20 (known: 3.000, 3.010, 4.200, 4.210,"),
        (["depth=20", "parameters=32000"], "no run passes all of depth=20, parameters=32000"),
        (["sweep=t"], "no run has sweep=t (known: s)"),
    ],
)
def test_filters_that_keep_nothing_say_what_there_is(lab, filters, sentence):
    said = sweep("report", "s", "--db", lab.url, *(f"--where={text}" for text in filters))
    assert said.exit_code == 0
    assert sentence in said.stderr


def test_a_status_names_states_that_no_run_has_only_to_programs(lab):
    people, programs = (
        sweep("status", "s", "--db", lab.url, "--format", name).stdout for name in ("table", "csv")
    )
    assert ("cancelled" in people, "cancelled" in programs) == (False, True)
