"""Sweeps from Python: the same as the commands do, in a script or a notebook's process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

import fake_trainers
import sweeper
from command_line import sweep as command
from sweeper.errors import (
    Interrupted,
    RequestError,
    ResourceError,
    RunsFailedError,
    SpecError,
)

SPEC: dict[str, Any] = {
    "name": "mine",
    "model": "preresnet",
    "dataset": "digits",
    "trainer": "fake_trainers:quick",
    "training": {"epochs": 2},
    "grid": {"depth": [8, 14], "seed": [0, 1]},
    "evaluations": [{"noise": "gaussian", "std": 0.1}],
}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("SWEEP_HOME", "SWEEP_DB", "SWEEP_STORAGE"):
        monkeypatch.delenv(name, raising=False)
    Path("sweep.toml").write_text('executor = "inline"\n')


def test_importing_the_package_imports_nothing_heavy():
    program = (
        "import sys, sweeper; assert sweeper.__all__; print(*sys.modules); sweeper.Sweep;"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    package, interface = (set(line.split()) for line in done.stdout.splitlines())
    assert not package & {"torch", "ray", "pandas", "sqlalchemy", "pydantic", "numpy", "yaml"}
    assert not interface & {"torch", "ray", "pandas", "matplotlib"}
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = sweeper.rum


def test_a_sweep_is_planned_run_and_asked_as_dataframes(capsys):
    sweep = sweeper.Sweep(SPEC)
    assert repr(sweep) == f"<Sweep mine: 4 runs, in {Path.cwd()}/.sweep>"
    planned = sweep.plan()
    assert list(planned["state"]) == ["new"] * 4
    assert planned["depth"].dtype == "Int64"
    assert planned["estimated_seconds"].min() > 0
    assert sweep.run() is sweep
    said = capsys.readouterr()
    assert said.out == ""
    assert "mine: 4 of 4 runs done (4 trained now)" in said.err
    assert list(sweep.plan()["state"]) == ["done"] * 4
    (status,) = sweep.status().to_dict("records")
    assert (status["runs"], status["done"], status["failed"]) == (4, 4, 0)
    assert sweep.failures().empty
    assert list(sweep.runs("seed=1")["test_accuracy"]) == [51, 51]
    assert len(sweep.epochs()) == 8
    assert set(sweep.evaluations()["evaluation"]) == {"gaussian[0.1]"}
    report = sweep.report(["depth"], metrics="test_accuracy")
    assert list(report["test_accuracy_mean"]) == [50.5, 50.5]
    with sweep.results() as lab:
        assert list(lab.sweeps()["name"]) == ["mine"]


def test_a_sweep_of_own_metrics_is_planned_before_and_after(tmp_path):
    Path("own.py").write_text("def train(job):\n    job.report(1, f1=job.options['k'])\n")
    spec = {"name": "own", "trainer": "own:train", "grid": {"options.k": [1, 2]}}
    sweep = sweeper.Sweep(spec, executor="inline", progress=False)
    assert list(sweep.plan()["state"]) == ["new"] * 2
    planned = sweep.run().plan()
    assert [row[0]["value"] for row in planned["metrics"]] == [1, 2]
    report = sweep.report()
    assert report[["options.k", "f1_mean"]].to_numpy().tolist() == [[1, 1], [2, 2]]
    assert sweep.report([])["runs"].tolist() == [2]
    assert sweep.epochs().empty
    assert sweep.epoch_metrics()["value"].tolist() == [1, 2]


def test_it_stores_what_the_command_stores():
    Path("mine.yaml").write_text(json.dumps(SPEC))
    assert command("run", "mine.yaml", "--home", "a").exit_code == 0
    sweeper.run(SPEC, home="b", progress=False)
    shown = []
    for home in ("a", "b"):
        said = command("report", "mine", "--group-by", "run_id", "--home", home, "--format=json")
        shown.append(json.loads(said.stdout))
    assert shown[0] == shown[1]
    assert "mine: 4 of 4 runs done already" in command("run", "mine.yaml", "--home", "b").stderr


def test_a_spec_is_a_file_a_name_a_text_or_a_dict():
    text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in SPEC.items())
    Path("other.yaml").write_text(text)
    ids = [config.run_id for config in sweeper.Sweep(SPEC).spec.configs]
    for spec in ("other.yaml", Path("other.yaml"), text, SPEC | {"extends": "other.yaml"}):
        assert [config.run_id for config in sweeper.Sweep(spec).spec.configs] == ids
    assert sweeper.Sweep("quickstart").name == "quickstart"
    with pytest.raises(RequestError, match="quickstrat: there is no such file"):
        sweeper.Sweep("quickstrat")
    Path("other.yaml").write_text("name: a b\n" + text.partition("\n")[2])
    with pytest.raises(SpecError, match=r"other.yaml:1:1: 'a b' is not a name"):
        sweeper.Sweep("other.yaml")


def test_changes_are_a_dict_or_texts():
    changes = {"training.epochs": 3, "grid.depth": [20], "scheme": {"alpha": 0.5}, "seed": 7}
    texts = ["training.epochs=3", "grid.depth=[20]", "scheme={alpha: 0.5}", "seed=7"]
    by_dict, by_texts = sweeper.Sweep(SPEC, set=changes), sweeper.Sweep(SPEC, set=texts)
    assert by_dict.spec.configs == by_texts.spec.configs
    assert by_dict.spec.overrides[0] == "training.epochs=3"
    assert len(sweeper.Sweep(SPEC, set="seed=7").spec.configs) == 2
    with pytest.raises(SpecError, match=r"--set training.epochs=0: training.epochs: 0 is not"):
        sweeper.Sweep(SPEC, set={"training.epochs": 0})


def test_arguments_come_before_variables_and_these_before_the_file(monkeypatch, tmp_path):
    sweep = sweeper.Sweep(SPEC)
    assert sweep.settings.origins["executor"] == "sweep.toml:1"
    monkeypatch.setenv("SWEEP_HOME", "from_variable")
    assert sweeper.Sweep(SPEC).settings.home.folder == tmp_path / "from_variable"
    typed = sweeper.Sweep(SPEC, home=tmp_path / "x", executor="ray")
    assert typed.settings.home.folder == tmp_path / "x"
    assert typed.settings.origins["home"] == "home="
    with pytest.raises(TypeError, match="hom"):
        sweeper.Sweep(SPEC, hom="x")  # type: ignore[call-arg]
    with pytest.raises(RequestError, match=r"grace: -1"):
        sweeper.Sweep(SPEC, grace=-1)
    with pytest.raises(RequestError, match="executor"):
        sweeper.run(SPEC, executor="rya")


def test_a_database_url_that_may_hold_a_password_leaves_the_environment_and_still_counts(
    monkeypatch,
):
    monkeypatch.setattr("sweeper.settings.variables._taken", {})
    monkeypatch.setenv("SWEEP_DB", "postgresql://me:hunter2@nowhere/lab")
    for _ in range(2):
        sweep = sweeper.Sweep(SPEC)
        assert "SWEEP_DB" not in os.environ
        assert sweep.settings.home.database == "postgresql://me:hunter2@nowhere/lab"
        assert "hunter2" not in repr(sweep)
    monkeypatch.setenv("SWEEP_DB", "sqlite:///here.db")
    assert sweeper.Sweep(SPEC).settings.home.database == "sqlite:///here.db"
    assert os.environ["SWEEP_DB"] == "sqlite:///here.db"


def test_failed_runs_raise_after_all_others_are_done(capsys):
    sweep = sweeper.Sweep(SPEC | {"trainer": "fake_trainers:odd_seeds_raise"}, progress=False)
    with pytest.raises(RunsFailedError, match="mine: 2 runs failed; all others are done") as caught:
        sweep.run()
    assert (caught.value.failed, caught.value.exit_code) == (2, 1)
    assert capsys.readouterr().err == ""
    (status,) = sweep.status().to_dict("records")
    assert (status["done"], status["failed"]) == (2, 2)
    failures = sweep.failures()
    assert list(failures["error"].str.contains("seed 1 is odd")) == [True, True]
    assert sweep.retry(failed=True) == 2
    assert sweep.cancel() == 2
    assert sweep.retry(failed=True) == 0


def test_a_sweep_of_cancelled_runs_is_not_done(tmp_path, capsys):
    Path("cancels.py").write_text(
        "from results.store.store import Store\n\n\n"
        "def train(job):\n"
        f"    with Store.open('sqlite:///{tmp_path}/.sweep/sweep.db') as store:\n"
        "        store.cancel('own')\n"
    )
    sweep = sweeper.Sweep({"name": "own", "trainer": "cancels:train", "grid": {"seed": [0, 1]}})
    with pytest.raises(RunsFailedError, match="own: 2 runs cancelled; all others") as caught:
        sweep.run()
    assert (caught.value.cancelled, caught.value.exit_code) == (2, 1)
    said = capsys.readouterr().err
    assert "own: 0 of 2 runs done (0 trained now)\n2 runs cancelled: `sweep retry own`" in said
    assert "nothing to train" not in said


def test_plan_tells_that_code_was_edited(capsys):
    spec = {"name": "edited", "trainer": "edited:train", "grid": {"seed": [0, 1]}}
    Path("edited.py").write_text("def train(job):\n    job.report(1, f1=1)\n")
    sweeper.run(spec, progress=False)
    with Path("edited.py").open("a") as file:
        file.write("# edited\n")
    told = "the code of trainer edited:train was edited (edited.py): 2 runs done under the earlier"
    for make in (lambda: sweeper.Sweep(spec), sweeper.Sweep.stored):
        sys.modules.pop("edited", None)
        assert list(make().plan()["state"]) == ["new", "new"]
        assert told in capsys.readouterr().err
    sys.modules.pop("edited", None)
    sweeper.Sweep(spec, progress=False).plan()
    assert capsys.readouterr().err == ""


def test_a_sweep_is_resumed_from_the_database(monkeypatch):
    Path("base.yaml").write_text(json.dumps({k: v for k, v in SPEC.items() if k != "grid"}))
    spec = {"name": "mine", "extends": "base.yaml", "grid": {"depth": [8], "seed": [0, 1]}}
    sweep = sweeper.Sweep(spec, set={"trainer": "fake_trainers:odd_seeds_raise"}, progress=False)
    with pytest.raises(RunsFailedError):
        sweep.run()
    Path("base.yaml").unlink()
    monkeypatch.setattr(fake_trainers, "odd_seeds_raise", fake_trainers.quick)
    stored = sweeper.Sweep.stored("mine", progress=False)
    assert stored.spec == sweep.spec
    stored.retry()
    again = sweeper.resume(progress=False)
    assert again.name == "mine"
    assert list(again.runs()["state"]) == ["done", "done"]
    with pytest.raises(RequestError, match="unknown sweep 'other'"):
        sweeper.resume("other")


def test_control_c_stops_in_order_and_raises(monkeypatch, capsys):
    sweep = sweeper.Sweep(SPEC | {"trainer": "fake_trainers:light"}, home="h")
    light, before = fake_trainers.light, signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patched:
        patched.setattr(fake_trainers, "light", wraps(light)(lambda job: asks(job, light)))
        with pytest.raises(Interrupted, match="To continue: sweep resume mine"):
            sweep.run()
    assert signal.getsignal(signal.SIGINT) is before
    assert "Control-C again stops at once" in capsys.readouterr().err
    assert sweep.status()["queued"].sum() == 4
    assert list(sweep.run().runs()["state"]) == ["done"] * 4


def asks(job, train, number=signal.SIGINT):
    signal.raise_signal(number)
    return train(job)


def test_it_runs_in_other_threads_where_stop_stops_it(monkeypatch):
    sweep = sweeper.Sweep(SPEC | {"trainer": "fake_trainers:light"}, progress=False)
    light, caught = fake_trainers.light, []

    @wraps(light)
    def stopped(job):
        sweep.stop()
        return light(job)

    def work():
        try:
            sweep.run()
        except Interrupted as error:
            caught.append(error)

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for trainer in (stopped, light):
        monkeypatch.setattr(fake_trainers, "light", trainer)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert len(caught) == 1
    assert list(sweep.runs()["state"]) == ["done"] * 4


def test_two_of_one_process_do_not_work_on_one_database(monkeypatch):
    sweep, errors = sweeper.Sweep(SPEC, progress=False), []
    quick = fake_trainers.quick

    @wraps(quick)
    def also(job):
        with pytest.raises(ResourceError, match="another driver works on") as caught:
            sweeper.run(SPEC | {"name": "other"}, progress=False)
        errors.append(str(caught.value))
        return quick(job)

    monkeypatch.setattr(fake_trainers, "quick", also)
    sweep.run()
    assert len(errors) == 4
    # Not the arguments of this process, which may be anybody's.
    assert "(sweeper.run(mine))" in errors[0]


def test_it_runs_inside_of_an_event_loop():
    async def cell():
        return sweeper.run(SPEC, progress=False).status()["done"].sum()

    assert asyncio.run(cell()) == 4


def test_what_it_makes_is_private_and_the_umask_is_the_callers_again():
    before = os.umask(0o022)
    try:
        sweeper.run(SPEC, progress=False)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert Path(".sweep").stat().st_mode & 0o077 == 0


def test_a_damaged_or_missing_database_is_an_error_of_ours():
    with pytest.raises(ResourceError, match="there is no database"):
        sweeper.Sweep(SPEC).status()
    Path(".sweep").mkdir()
    Path(".sweep/sweep.db").write_bytes(b"no database" * 100)
    with pytest.raises(ResourceError, match="is not a SQLite database"):
        sweeper.Sweep(SPEC).runs()
