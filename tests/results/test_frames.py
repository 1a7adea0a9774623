from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import results
from results.errors import NoDatabaseError, UnknownColumnError, UnknownSweepError
from results.run_columns import RUN_KEYS
from results.store.store import Store
from stored_rows import replace_rows

ROOT = Path(__file__).resolve().parents[2]

TEXT = "string"
WHOLE = "Int64"
FLAG = "boolean"
NUMBER = "float64"
MOMENT = "datetime64[us, UTC]"

OF_RUN = {
    "run_id": TEXT, "sweep": TEXT, "model": TEXT, "scheme": TEXT, "depth": WHOLE, "dataset": TEXT,
    "seed": WHOLE, "max_root_modulus": NUMBER, "zero_stable": FLAG, "sweeps": "object",
}  # fmt: skip
RUNS = {
    "run_id": TEXT, "sweep": TEXT, "state": TEXT, "model": TEXT, "scheme": TEXT, "depth": WHOLE,
    "dataset": TEXT, "seed": WHOLE, "alpha": "object", "beta": NUMBER, "trainable": FLAG,
    "root_moduli": "object", "max_root_modulus": NUMBER, "zero_stable": FLAG, "consistent": FLAG,
    "order": WHOLE, "parameters": WHOLE, "epochs": WHOLE, "test_accuracy": NUMBER,
    "best_test_accuracy": NUMBER, "train_accuracy": NUMBER, "generalization_gap": NUMBER,
    "diverged": FLAG, "train_seconds": NUMBER, "images_per_second": NUMBER, "attempts": WHOLE,
    "imported": FLAG,
    "best_epoch": WHOLE, "train_loss": NUMBER, "test_loss": NUMBER, "diverged_epoch": WHOLE,
    "weights_sha256": TEXT, "created_at": MOMENT, "finished_at": MOMENT, "sweeps": "object",
    "tags": "object",
}  # fmt: skip
EPOCHS = OF_RUN | {
    "imported": FLAG, "epoch": WHOLE, "learning_rate": NUMBER, "train_loss": NUMBER,
    "train_accuracy": NUMBER, "test_loss": NUMBER, "test_accuracy": NUMBER, "seconds": NUMBER,
}  # fmt: skip
EVALUATIONS = OF_RUN | {
    "run_imported": FLAG, "test_accuracy": NUMBER, "evaluation_id": TEXT, "evaluation": TEXT,
    "kind": TEXT, "level": NUMBER, "accuracy": NUMBER, "loss": NUMBER, "imported": FLAG,
}  # fmt: skip
PROBES = OF_RUN | {
    "imported": FLAG, "test_accuracy": NUMBER, "probe": TEXT, "quantity": TEXT, "epoch": WHOLE,
    "layer": TEXT, "value": NUMBER,
}  # fmt: skip
BLOCKS = {
    "run_id": TEXT, "sweep": TEXT, "model": TEXT, "scheme": TEXT, "depth": WHOLE, "dataset": TEXT,
    "seed": WHOLE, "sweeps": "object", "imported": FLAG, "test_accuracy": NUMBER, "block": WHOLE,
    "alpha": "object", "beta": NUMBER,
    "root_moduli": "object", "max_root_modulus": NUMBER, "zero_stable": FLAG, "consistent": FLAG,
    "order": WHOLE,
}  # fmt: skip
SWEEPS = {
    "name": TEXT, "description": TEXT, "published": TEXT, "created_at": MOMENT,
    "updated_at": MOMENT, "runs": WHOLE, "done": WHOLE, "imported": FLAG,
}  # fmt: skip


def types(frame):
    return {name: str(kind) for name, kind in frame.dtypes.items()}


@pytest.fixture
def lab(url, store, make):
    """Two sweeps: run 1 done in both, run 2 diverged, run 3 queued, with all else unknown."""
    first, second = make.evaluation(1), make.evaluation(2)
    unknown = make.run(
        3, depth=56, seed=2**62, alpha=None, root_moduli=None, max_root_modulus=None,
        zero_stable=None, order=None, beta=None,
    )  # fmt: skip
    make.save(store, "a", [make.run(2), make.run(1)], [second, first])
    make.save(store, "b", [make.run(1), unknown], [second])
    measured = [make.measured(first, 80.0), make.measured(second, 70.0)]
    make.finish(store, make.run(1), evaluations=measured)
    nothing = dict.fromkeys(
        ("test_accuracy", "best_test_accuracy", "train_accuracy", "generalization_gap"), None
    )
    make.finish(store, make.run(2), diverged=True, diverged_epoch=1, epochs=[], **nothing)
    with results.open(url) as opened:
        yield opened


def test_the_runs_frame_has_one_row_per_run(lab):
    frame = lab.runs()
    assert types(frame) == RUNS
    assert set(RUN_KEYS) - set(frame) == {"evaluations", "metrics"}
    assert frame["seed"].tolist() == [2, 1, 2**62]
    assert frame["sweep"].tolist() == ["a", "a,b", "b"]
    assert frame["zero_stable"].tolist() == [True, True, pd.NA]
    assert frame["test_accuracy"].isna().tolist() == [True, False, True]
    assert frame["alpha"].tolist() == [[1 / 3, 5 / 9, 1 / 9]] * 2 + [None]
    assert frame["order"].isna().tolist() == [False, False, True]
    assert frame["diverged_epoch"].tolist() == [1, pd.NA, pd.NA]
    assert frame["finished_at"].notna().tolist() == [True, True, False]
    age = pd.Timestamp.now(tz="UTC") - frame["created_at"]
    assert age.between(pd.Timedelta(0), pd.Timedelta("10 min")).all()


def test_frames_have_the_options_of_trainers(url, store, make):
    """After the columns of the run, in each frame of runs or of what was measured of them."""
    options = [
        {"alpha": 0.1, "net": {"depth": 2, "norm": True}},
        {"alpha": 1, "mode": "fast", "layers": [4, 2], "huge": 2**70},
        None,
    ]
    runs = [
        make.run(number, config={"seed": number} | ({"options": given} if given else {}))
        for number, given in enumerate(options, start=1)
    ]
    make.save(store, "s", runs)
    for run in runs:
        make.finish(store, run, **make.metrics(f1=0.5))
    added = {
        "options.alpha": NUMBER, "options.net.depth": WHOLE, "options.net.norm": FLAG,
        "options.mode": TEXT, "options.layers": "object", "options.huge": "object",
    }  # fmt: skip
    with results.open(url) as lab:
        frame = lab.runs("s")
        assert types(frame) == RUNS | added | {"f1": NUMBER}
        assert list(frame)[-len(added) - 1 :] == [*added, "f1"]
        assert frame["options.alpha"].tolist()[:2] == [0.1, 1]
        assert frame["options.net.depth"].tolist() == [2, pd.NA, pd.NA]
        assert frame["options.huge"].tolist() == [None, 2**70, None]
        some = {name: added[name] for name in list(added)[:3]}
        assert types(lab.epochs(where="seed=1")) == EPOCHS | some
        assert list(lab.metrics("s", "options.mode=fast"))[-10:-6] == [
            "options.alpha", "options.mode", "options.layers", "options.huge",
        ]  # fmt: skip
        assert types(lab.runs(where="seed=3")) == RUNS | {"f1": NUMBER}


def test_the_epochs_frame_has_one_row_per_epoch(lab):
    frame = lab.epochs("b")
    assert types(frame) == EPOCHS
    assert frame["epoch"].tolist() == [1, 2]
    assert frame["test_accuracy"].tolist() == [45.0, 90.0]
    assert (frame["sweep"] == "b").all()
    by_group = frame.groupby(["zero_stable", "epoch"])["train_loss"].mean()
    assert by_group.tolist() == [1.0, 0.5]


def test_the_evaluations_frame_has_one_row_per_evaluation(lab):
    frame = lab.evaluations()
    assert types(frame) == EVALUATIONS
    found = frame.set_index("evaluation")["accuracy"].to_dict()
    assert found == {"gaussian[0.1]": 80.0, "gaussian[0.2]": 70.0}
    assert frame["level"].tolist() == sorted(frame["level"])
    assert (frame["test_accuracy"] == 90.0).all()
    assert lab.evaluations("b")["evaluation"].tolist() == ["gaussian[0.2]"]


def test_probes_and_blocks_frames_have_one_row_per_value(url, store, make):
    make.save(store, "s", make.runs(2))
    probes = [
        make.probe("within[10]", layer=layer, epoch=epoch, value=None if layer == "fc" else epoch)
        for epoch in (0, 2)
        for layer in ("stem", "block2", "block10", "fc")
    ]
    probes += [make.probe("within[2]", 0, layer="")]
    unknown = dict.fromkeys(("beta", "root_moduli", "max_root_modulus", "zero_stable", "order"))
    blocks = [make.block(2, zero_stable=False), make.block(1, alpha=[None, 0.5], **unknown)]
    make.finish(store, make.run(1), probes=probes, blocks=blocks)
    make.finish(store, make.run(2), probes=[make.probe()])
    with results.open(url) as lab:
        frame = lab.probes("s", "seed=1")
        assert types(frame) == PROBES
        assert frame["quantity"].tolist() == ["within[2]"] + ["within[10]"] * 8
        assert frame["layer"].tolist() == ["", *["stem", "block2", "block10", "fc"] * 2]
        assert frame["epoch"].tolist() == [0] * 5 + [2] * 4
        assert frame["value"].isna().sum() == 2
        assert lab.probes()["seed"].tolist() == [1] * 9 + [2]
        frame = lab.blocks()
        assert types(frame) == BLOCKS
        assert frame["block"].tolist() == [1, 2]
        assert frame["zero_stable"].tolist() == [pd.NA, False]
        assert frame["alpha"].tolist() == [[None, 0.5], [0.75, 0.25]]
        for found, kinds in (
            (lab.probes(where="seed=9"), PROBES),
            (lab.blocks("s", "seed=2"), BLOCKS),
        ):
            assert (types(found), len(found)) == (kinds, 0)
        with pytest.raises(UnknownSweepError):
            lab.probes("t")


def test_frames_are_filtered_in_the_database(lab):
    assert lab.runs("a", "diverged=true")["seed"].tolist() == [2]
    assert lab.runs(["b", "a"], ["depth=32", "test_accuracy>0"])["seed"].tolist() == [1]
    assert lab.runs(where="zero_stable=null")["depth"].tolist() == [56]
    assert lab.epochs(where="gaussian[0.1]>75")["epoch"].tolist() == [1, 2]
    assert len(lab.epochs(where="gaussian[0.1]<75")) == 0
    assert lab.evaluations(where=["training.optimizer.lr=1/10"])["run_id"].nunique() == 1
    with pytest.raises(UnknownSweepError, match="unknown sweep 'c'"):
        lab.runs("c")
    with pytest.raises(UnknownColumnError, match="did you mean 'depth'"):
        lab.epochs(where="dept=3")


def test_a_run_in_two_sweeps_is_in_each_of_them_in_frames(lab):
    assert lab.runs(where="sweep=a")["seed"].tolist() == lab.runs("a")["seed"].tolist() == [2, 1]
    assert lab.runs(where="sweep!=a")["depth"].tolist() == [56]
    assert lab.epochs(where="sweep=b")["run_id"].nunique() == 1
    by_sweep = lab.report("sweep", [])
    assert by_sweep[["sweep", "runs"]].to_numpy().tolist() == [["a", 2], ["b", 1]]
    each = lab.runs().explode("sweeps").groupby("sweeps")["run_id"].count()
    assert each.to_dict() == {"a": 2, "b": 2}
    assert lab.evaluations().explode("sweeps")["sweeps"].tolist() == ["a", "b", "a", "b"]


def test_a_frame_without_rows_has_the_same_columns_and_types(lab):
    none = "model=none"
    assert (types(lab.runs(where=none)), len(lab.runs(where=none))) == (RUNS, 0)
    assert (types(lab.epochs(where=none)), len(lab.epochs(where=none))) == (EPOCHS, 0)
    evaluations = lab.evaluations(where=none)
    assert (types(evaluations), len(evaluations)) == (EVALUATIONS, 0)
    assert types(lab.report(["depth", "zero_stable"], where=none)) == types(
        lab.report(["depth", "zero_stable"])
    )


def test_the_sweeps_frame_has_one_row_per_sweep(lab, store, make):
    store.save_sweep(
        "c", "text", "c.yaml", [], "what it is for", [], [], published="zerosnet/table3"
    )
    frame = lab.sweeps()
    assert types(frame) == SWEEPS
    assert frame["name"].tolist() == ["a", "b", "c"]
    assert frame[["runs", "done"]].to_numpy().tolist() == [[2, 2], [2, 1], [0, 0]]
    assert frame["description"].tolist() == [pd.NA, pd.NA, "what it is for"]
    assert frame["published"].tolist() == [pd.NA, pd.NA, "zerosnet/table3"]


def test_a_report_is_returned_as_a_frame(lab):
    frame = lab.report(["zero_stable", "depth"], "gaussian[0.1]", sweeps="a")
    assert types(frame) == {
        "zero_stable": FLAG, "depth": WHOLE, "runs": WHOLE, "diverged": WHOLE, "unfinished": WHOLE,
        "imported": WHOLE, "measured_elsewhere": WHOLE,
        "gaussian[0.1]_mean": NUMBER, "gaussian[0.1]_std": NUMBER, "gaussian[0.1]_min": NUMBER,
        "gaussian[0.1]_max": NUMBER,
    }  # fmt: skip
    assert frame.iloc[0].tolist()[:8] == [True, 32, 2, 1, 0, 0, 0, 80.0]
    assert list(lab.report("depth").columns)[:7] == [
        "depth", "runs", "diverged", "unfinished", "imported", "measured_elsewhere",
        "test_accuracy_mean",
    ]  # fmt: skip
    assert types(lab.report([], []))["diverged"] == WHOLE
    assert lab.report("diverged", [])["diverged"].tolist() == [False, True]
    assert types(lab.report("diverged", []))["diverged"] == FLAG


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([True, False], FLAG),
        ([3, 2**60], WHOLE),
        ([0.5, 3], NUMBER),
        (["a", "b"], TEXT),
        ([["a"], ["b"]], "object"),
        ([True, 3], "object"),
    ],
)
def test_a_config_path_column_has_the_type_of_its_values(url, plain, make, values, kind):
    Store.open(url).close()
    rows = [make.row(n, config={"kind": value}) for n, value in enumerate(values)]
    replace_rows(plain, [*rows, make.row(9, config={})])
    with results.open(url) as lab:
        frame = lab.report("kind", [])
    assert str(frame["kind"].dtype) == kind
    assert sorted(frame["kind"].dropna().tolist(), key=str) == sorted(values, key=str)
    assert frame["kind"].isna().tolist() == [False] * len(values) + [True]


def test_opening_a_missing_database_is_an_error(tmp_path):
    with pytest.raises(NoDatabaseError):
        results.open(f"sqlite:///{tmp_path}/none.db")


@pytest.mark.slow
def test_pandas_is_loaded_with_the_first_frame(sqlite_url):
    Store.open(sqlite_url).close()
    code = (
        "import sys, results\n"
        "lab = results.open(sys.argv[1])\n"
        "print('pandas' in sys.modules, 'numpy' in sys.modules)\n"
        "lab.runs()\n"
        "print('pandas' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, sqlite_url],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.split() == ["False", "False", "True"]


METRICS = OF_RUN | {
    "imported": FLAG, "metric": TEXT, "value": NUMBER, "better": TEXT, "unit": TEXT,
    "decimals": WHOLE, "label": TEXT,
}  # fmt: skip
FILES = OF_RUN | {"imported": FLAG, "path": TEXT, "size": WHOLE, "sha256": TEXT}
EPOCH_METRICS = OF_RUN | {"imported": FLAG, "metric": TEXT, "epoch": WHOLE, "value": NUMBER}


def test_metrics_of_trainers_are_frames_and_columns_of_runs(url, store, make):
    make.save(store, "s", make.runs(3))
    said = {"f1": {"better": "higher", "unit": "points", "decimals": 3, "label": "F1 score"}}
    make.finish(store, make.run(1), metric_definitions=said, **make.metrics(f1=0.5, recall=None))
    make.finish(store, make.run(2), **make.metrics(epochs=11, f1=0.25))
    with results.open(url) as lab:
        runs = lab.runs("s")
        assert types(runs) == RUNS | {"f1": NUMBER, "recall": NUMBER}
        assert runs["f1"].tolist()[:2] == [0.5, 0.25]
        assert runs["recall"].isna().all()
        assert types(lab.runs("s", where="seed=3")) == RUNS
        frame = lab.metrics("s")
        assert types(frame) == METRICS
        assert frame["metric"].tolist() == ["f1", "recall", "f1"]
        assert frame["value"].isna().tolist() == [False, True, False]
        assert frame["unit"].tolist() == ["points", pd.NA, pd.NA]
        history = lab.epoch_metrics("s", "f1<0.3")
        assert types(history) == EPOCH_METRICS
        assert history["epoch"].tolist() == list(range(1, 12))
        assert set(history["value"]) == {0.25}
        assert types(lab.epoch_metrics(where="seed=3")) == EPOCH_METRICS


def test_files_of_runs_are_a_frame(url, store, make):
    make.save(store, "s", make.runs(2))
    kept = [{"path": path, "size": 2**40, "sha256": "a" * 64} for path in ("b.png", "a.png")]
    make.finish(store, make.run(2), files=kept)
    with results.open(url) as lab:
        frame = lab.files("s")
        assert types(frame) == FILES
        assert frame["path"].tolist() == ["a.png", "b.png"]
        assert frame["size"].sum() == 2**41
        assert set(frame["seed"]) == {make.run(2).seed}
        assert types(lab.files("s", "seed=1")) == FILES
