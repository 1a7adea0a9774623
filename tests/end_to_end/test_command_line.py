"""The commands as a user types them."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import databases
from command_line import PROGRAM, sweep, sweep_process
from results.queries.queries import Queries
from results.run_columns import RUN_KEYS
from results.store.store import Store
from sweeper.errors import Interrupted, ResourceError
from sweeper.executors.inline import InlineExecutor
from sweeper.planning.cost import CostModel
from sweeper.planning.plan import ESTIMATED_KEYS

SPEC = """
name: tiny
model: zerosnet
dataset: digits
trainer: fake_trainers:quick
training: {epochs: 2}
grid:
  scheme: [{alpha: [1, 1, 1], beta: 1}, {lambda: 10}]
  depth: [8, 14]
  seed: [0, 1]
evaluations:
  - {noise: gaussian, std: 0.1}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the tiny sweep has run."""
    folder = tmp_path_factory.mktemp("laboratory")
    (folder / "tiny.yaml").write_text(SPEC)
    home = folder / "home"
    done = sweep_process(
        "run", str(folder / "tiny.yaml"), "--home", str(home), "--executor", "inline"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "tiny: 8 of 8 runs done (8 trained now)" in done.stderr
    return home


def ask(home: Path, *arguments: str) -> Any:
    done = sweep(*arguments, "--home", str(home), "--format", "json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_help_lists_every_command() -> None:
    done = sweep_process("--help")
    assert done.returncode == 0
    for command in (
        "run",
        "plan",
        "resume",
        "status",
        "report",
        "compare",
        "plot",
        "show",
        "retry",
        "export",
        "import",
        "db",
    ):
        assert f"\n  {command} " in done.stdout
    assert not re.search(r"\.\.\.\n", done.stdout.partition("Commands:")[2])


@pytest.mark.parametrize(
    "command",
    [
        "run", "plan", "resume", "status", "report", "compare", "plot", "show", "retry", "export",
        "import",
    ],
)  # fmt: skip
def test_each_command_has_help(command: str) -> None:
    done = sweep(command, "--help")
    assert done.exit_code == 0
    assert "--home" in done.stdout


def test_successful_commands_do_not_check_for_corruption(tmp_path: Path) -> None:
    (tmp_path / "sweep.db").write_bytes(b"SQLite format 3\0" + bytes(5000))
    assert sweep("status", "--home", str(tmp_path)).exit_code == 3
    assert sweep("status", "--help").exit_code == 0


@pytest.mark.slow
def test_plan_shows_the_results_of_a_finished_sweep(home: Path) -> None:
    rows = ask(home, "plan", str(home.parent / "tiny.yaml"))
    assert [list(row) for row in rows] == [[*RUN_KEYS, *ESTIMATED_KEYS, "settings"]] * 8
    assert {row["state"] for row in rows} == {"done"}
    assert [row["test_accuracy"] for row in rows] == [50, 51] * 4


@pytest.mark.slow
def test_plan_writes_nothing(tmp_path: Path, home: Path) -> None:
    done = sweep("plan", str(home.parent / "tiny.yaml"), "--home", str(tmp_path / "new"))
    assert done.exit_code == 0
    assert "8 to train" in done.stderr
    assert not (tmp_path / "new").exists()


def test_report_groups_by_zero_stable(home: Path) -> None:
    groups = ask(home, "report", "tiny", "--group-by", "zero_stable")
    assert [group["zero_stable"] for group in groups] == [False, True]
    for group in groups:
        assert group["runs"] == 4
        assert group["test_accuracy_mean"] == 50.5
        assert group["test_accuracy_std"] == pytest.approx(0.57735, abs=1e-5)
        assert (group["gaussian[0.1]_min"], group["gaussian[0.1]_max"]) == (40, 41)


def test_report_groups_by_several_keys_and_filters(home: Path) -> None:
    groups = ask(
        home, "report", "tiny", "--group-by", "zero_stable,depth", "--where", "depth>8",
        "--where", "training.epochs=2", "--metric", "gaussian[0.1]", "--metric", "parameters",
    )  # fmt: skip
    assert [(g["zero_stable"], g["depth"]) for g in groups] == [(False, 14), (True, 14)]
    assert "test_accuracy_mean" not in groups[0]
    assert groups[0]["parameters_std"] == 0


def test_report_formats_have_the_same_content(home: Path) -> None:
    groups = ask(home, "report", "tiny", "--group-by", "depth,seed")
    text = sweep(
        "report", "tiny", "--group-by", "depth,seed", "--home", str(home), "--format", "csv"
    ).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [float(row["test_accuracy_mean"]) for row in rows] == [
        group["test_accuracy_mean"] for group in groups
    ]
    markdown = sweep("report", "tiny", "--home", str(home), "--format", "markdown").stdout
    assert markdown.startswith("| model")
    assert "50.50 ± 0.71" in markdown
    assert "50.50 ± 0.71" in sweep("report", "tiny", "--home", str(home)).stdout


def test_a_report_is_written_to_a_file(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.csv"
    done = sweep("report", "tiny", "--home", str(home), "--format", "csv", "--output", str(target))
    assert (done.exit_code, done.stdout) == (0, "")
    assert target.read_text().startswith("model,")


def test_status_counts_runs_by_state(home: Path) -> None:
    (status,) = ask(home, "status")
    assert status["sweep"] == "tiny"
    assert status["counts"]["done"] == 8
    assert status["failures"] == []


def test_show_finds_a_run_by_a_prefix_of_its_id(home: Path) -> None:
    run_id = ask(home, "plan", str(home.parent / "tiny.yaml"))[0]["run_id"]
    detail = ask(home, "show", run_id[:8])
    assert detail["run_id"] == run_id
    assert detail["sweeps"] == ["tiny"]
    assert len(detail["epoch_history"]) == 2
    assert detail["attempt_history"][0]["provenance"]["torch"]
    page = sweep("show", run_id, "--home", str(home)).stdout
    assert "1, 1, 1; 1" in page
    assert "attempt 1: done" in page


@pytest.mark.slow
def test_home_and_database_are_read_from_the_environment(home: Path) -> None:
    by_home = sweep_process("status", SWEEP_HOME=str(home))
    by_database = sweep_process(
        "status", SWEEP_DB=f"sqlite:///{home / 'sweep.db'}", SWEEP_HOME="/nowhere"
    )
    assert "tiny" in by_home.stdout
    assert by_home.stdout == by_database.stdout


@pytest.mark.slow
def test_run_exits_with_1_on_failures_and_retry_queues_them(tmp_path: Path) -> None:
    spec = tmp_path / "odd.yaml"
    spec.write_text(SPEC.replace("quick", "odd_seeds_raise").replace("name: tiny", "name: odd"))
    where = ("--home", str(tmp_path / "home"))
    done = sweep_process("run", str(spec), *where, "--executor", "inline")
    assert done.returncode == 1
    assert "4 failed" in done.stderr
    assert "Traceback" not in done.stderr
    status = sweep("status", "odd", *where)
    assert "RuntimeError: seed 1 is odd" in status.stderr
    failed = [row for row in ask(tmp_path / "home", "plan", str(spec)) if row["state"] == "failed"]
    assert "Traceback" in sweep("show", failed[0]["run_id"], *where).stdout
    retried = sweep("retry", "odd", *where)
    assert (retried.exit_code, "4 runs queued again" in retried.stderr) == (0, True)
    again = sweep("resume", "odd", *where, "--executor", "inline")
    assert again.exit_code == 1
    assert {row["attempts"] for row in ask(tmp_path / "home", "plan", str(spec))} == {1, 2}


def test_set_overrides_the_spec_and_resume_remembers_it(tmp_path: Path) -> None:
    spec = tmp_path / "tiny.yaml"
    spec.write_text(SPEC)
    where = ("--home", str(tmp_path / "home"), "--executor", "inline")
    done = sweep("run", str(spec), *where, "--set", "seed=[7]", "--set", "depth=20")
    assert "2 of 2 runs done" in done.stderr
    again = sweep("resume", *where)
    assert "2 of 2 runs done already; nothing to train" in again.stderr
    # As other versions stored what this one refuses.
    for stored, code, said in (
        ('["seed=[7]", "depth=20", "description="]', 0, "2 of 2 runs done already"),
        ('["seed=[7]", "depths=20"]', 2, "another version of sweep or of a plug-in: correct its"),
    ):
        path = tmp_path / "home" / "sweep.db"
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("UPDATE sweep_specs SET overrides = ?", (stored,))
        again = sweep("resume", *where)
        assert again.exit_code == code
        assert said in again.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["report", "nowhere"], 2, "unknown sweep 'nowhere' (known: tiny)"),
        (["report", "--group-by", "zero_stabel"], 2, "zero_stable"),
        (["report", "--where", "depth~8"], 2, "depth~8"),
        (["report", "--where", "depth=deep"], 2, "deep"),
        (["report", "--metric", "gaussian[9]"], 2, "gaussian[0.1]"),
        (["report", "--format", "xml"], 2, "'xml'"),
        (["report", "--output", "/proc/no/such/file"], 2, "/proc/no/such/file"),
        (["show", "zz"], 2, "'zz'"),
        (["show", "0123456789abcdef", "--format", "csv"], 2, "'csv'"),
        (["status", "nowhere"], 2, "unknown sweep 'nowhere'"),
        (["resume", "nowhere"], 2, "unknown sweep 'nowhere'"),
        (["retry", "nowhere"], 2, "unknown sweep 'nowhere'"),
        (["run", "specs/nowhere.yaml"], 2, "no such file"),
        (["report", "--gap", "--group-by", "depth"], 2, "--test and --gap are tables of their own"),
        (["report", "--test", "depth", "--gap"], 2, "--test and --gap are tables of their own"),
        (["report", "--html", "page.html", "--format", "csv"], 2, "--html FILE writes a page"),
        (["cancel"], 2, "cancel what? Name a sweep, or runs with --run RUN"),
        (
            ["plot", "tiny", "roots", "--output", "/dev/null"],
            2,
            "--output /dev/null is no folder",
        ),
        (["status", "--home", "~no_such_user/x"], 2, "~no_such_user/x is no path"),
        (["report", "--nonsense"], 2, "--nonsense"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_invalid_arguments_are_named_in_the_error(
    home: Path, arguments: list[str], code: int, message: str
) -> None:
    where = [] if {"nonsense", "--home"} & {*arguments} else ["--home", str(home)]
    before = databases.content(f"sqlite:///{home}/sweep.db")
    done = sweep(*arguments, *where)
    assert done.exit_code == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert databases.content(f"sqlite:///{home}/sweep.db") == before


@pytest.mark.parametrize("command", [["report"], ["status"], ["show", "ab"], ["resume"]])
def test_a_missing_database_exits_with_3(tmp_path: Path, command: list[str]) -> None:
    done = sweep(*command, "--home", str(tmp_path / "none"))
    assert done.exit_code == 3
    assert "there is no database" in done.stderr
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_database_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "sweep.db").write_text("hello, this is a letter and no database\n" * 100)
    done = sweep_process("report", "--home", str(tmp_path))
    assert done.returncode == 3
    assert "sweep.db" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_unreachable_ray_cluster_is_named_in_the_error(home: Path, tmp_path: Path) -> None:
    done = sweep_process(
        "run", str(home.parent / "tiny.yaml"), "--home", str(tmp_path / "home"),
        "--ray-address", "nonsense",
    )  # fmt: skip
    assert done.returncode == 3
    assert "nonsense" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_dataset_is_named_in_the_error(home: Path, tmp_path: Path) -> None:
    spec = tmp_path / "missing.yaml"
    spec.write_text(SPEC.replace("quick", "loses_its_dataset"))
    done = sweep("run", str(spec), "--home", str(tmp_path / "home"), "--executor", "inline")
    assert done.exit_code == 3
    assert "the data are not here; put them there" in done.stderr
    assert {row["state"] for row in ask(tmp_path / "home", "plan", str(spec))} == {"queued"}
    told = sweep("status", "--home", str(tmp_path / "home")).stderr
    assert told.count("the data are not here") == 1
    assert "stopped once" in told
    assert "driver lost" not in told


def test_that_networks_cannot_be_compiled_is_found_before_any_run(tmp_path: Path) -> None:
    spec, home = tmp_path / "compiled.yaml", tmp_path / "home"
    spec.write_text(f"{SPEC}compile: true\n")
    (tmp_path / "file").touch()
    graphs = str(tmp_path / "file" / "graphs")
    options = ("--home", str(home), "--executor", "inline")
    done = sweep("run", str(spec), *options, TORCHINDUCTOR_CACHE_DIR=graphs)
    assert done.exit_code == 3
    assert done.stderr.splitlines()[-1].startswith(f"error: {graphs}, where compiled graphs are")
    assert {row["state"] for row in ask(home, "plan", str(spec))} == {"queued"}
    assert "stopped" not in sweep("status", "--home", str(home)).stderr


def test_a_closed_pipe_ends_a_command_silently(home: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [PROGRAM, "report", "tiny", "--home", str(home), "--format", "json"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    os.close(writer)
    # As other programs end, so that `set -o pipefail` can tell.
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


def test_writing_output_to_a_device_does_not_replace_it(home: Path) -> None:
    done = sweep_process("report", "tiny", "--home", str(home), "--output", "/dev/null")
    assert done.returncode == 0, done.stderr
    assert Path("/dev/null").is_char_device()


@pytest.mark.slow
def test_run_exits_with_1_on_failed_evaluations(home: Path, tmp_path: Path) -> None:
    spec = tmp_path / "tiny.yaml"
    where = ("--home", str(tmp_path / "home"), "--executor", "inline")
    spec.write_text(SPEC)
    assert sweep("run", str(spec), *where).exit_code == 0
    spec.write_text(SPEC + "  - {noise: constant, value: 0.5}\n")  # the trainer kept no weights
    done = sweep("run", str(spec), *where)
    assert done.exit_code == 1
    assert "8 finished runs could not be evaluated" in done.stderr
    assert "no stored weights" in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ray-address", "ray://head:10001"], "ray://head:10001: Ray Client is not supported"),
        (["--ray-address", "head:6379", "--ray-dashboard"], "a cluster's head starts its own"),
        (["--storage", "nowhere://runs"], "--storage: "),
    ],
)
def test_run_refuses_a_place_it_cannot_use_before_writing(
    home: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    new = tmp_path / "new"
    done = sweep("run", str(home.parent / "tiny.yaml"), "--home", str(new), *options)
    assert done.exit_code == 2, done.stderr
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert not new.exists()


@pytest.mark.parametrize("storage", ["kept", "~/kept"])
def test_storage_is_relative_to_the_current_folder_or_that_of_the_user(
    home: Path, tmp_path: Path, storage: str
) -> None:
    done = sweep(
        "run", str(home.parent / "tiny.yaml"), "--home", "new", "--executor", "inline",
        "--storage", storage, folder=tmp_path, HOME=str(tmp_path),
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    stored = {row["run_id"] for row in ask(home, "plan", str(home.parent / "tiny.yaml"))}
    assert stored <= {path.name for path in (tmp_path / "kept").iterdir()}
    assert not (tmp_path / "new" / "runs").exists()


def test_control_c_ends_a_command_with_one_word(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("results.analysis.reports.report", interrupt)
    done = sweep("report", "tiny", "--home", str(home))
    assert (done.exit_code, done.stdout, done.stderr) == (130, "", "interrupted\n")


def test_control_c_after_the_last_run_says_how_to_go_on(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "counts", interrupt)
    done = sweep(
        "run", str(home.parent / "tiny.yaml"), "--home", str(tmp_path), "--executor", "inline"
    )
    assert done.exit_code == 130
    assert "sweep resume tiny" in done.stderr.splitlines()[-1]


def test_a_sweep_whose_new_runs_cannot_start_stays_as_it_was(home: Path, tmp_path: Path) -> None:
    run = ("run", str(home.parent / "tiny.yaml"), "--home", str(tmp_path), "--executor", "inline")
    assert sweep(*run, "--set", "depth=8").exit_code == 0

    def stored() -> tuple[object, ...]:
        with Queries.open(f"sqlite:///{tmp_path}/sweep.db") as queries:
            return queries.spec_rows(["tiny"]), queries.run_rows(["tiny"])

    before = stored()
    for error, code, words in (
        (ResourceError("there is no GPU"), 3, "there is no GPU"),
        (Interrupted("stopped"), 130, "tiny is as it was"),
        (KeyboardInterrupt(), 130, "tiny is as it was"),
    ):
        with mock.patch.object(InlineExecutor, "start", side_effect=error):
            done = sweep(*run, "--set", "depth=14")
            assert (done.exit_code, words in done.stderr) == (code, True)
            assert "sweep resume" not in done.stderr
            assert stored() == before
    with mock.patch.object(InlineExecutor, "start", side_effect=ResourceError("no GPU")):
        # What has nothing to train starts no executor.
        said = sweep(*run, "--set", "depth=8", "--set", "seed=0").stderr
        assert "2 runs left the sweep" in said
    assert "2 trained now" in sweep(*run, "--set", "depth=14", "--set", "seed=0").stderr
    assert len(stored()[1]) == 2


def test_sigterm_ends_the_wait_for_a_locked_database(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def terminate(sentence: str) -> None:
        said.append(sentence)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("results.database.sqlite.BUSY_SECONDS", 0.01)
    monkeypatch.setattr("sweeper.scheduling.progress.say", terminate)
    with closing(sqlite3.connect(tmp_path / "sweep.db")) as other:

        def lock(*samples: object) -> CostModel:
            other.execute("BEGIN IMMEDIATE")
            return CostModel({})

        monkeypatch.setattr("sweeper.planning.cost.CostModel.from_samples", lock)
        done = sweep(
            "run", str(home.parent / "tiny.yaml"), "--home", str(tmp_path), "--executor", "inline"
        )
    assert done.exit_code == 130
    assert "sweep resume tiny" in done.stderr.splitlines()[-1]
    assert len(said) == 1
    assert f"{tmp_path}/sweep.db" in said[0]


def test_plan_shows_the_settings_that_vary(tmp_path: Path) -> None:
    spec = tmp_path / "varied.yaml"
    spec.write_text(
        "model: zerosnet\ndepth: 8\ndataset: digits\n"
        "grid:\n"
        "  training.optimizer.lr: [0.1, 0.05]\n"
        "  probes: [[], [{probe: condition_numbers, every: 2}]]\n"
    )
    rows = ask(tmp_path, "plan", str(spec))
    probe = {"probe": "condition_numbers", "every": 2}
    assert rows[1]["settings"] == {"probes": [probe], "training.optimizer.lr": 0.1}
    table = sweep("plan", str(spec), "--home", str(tmp_path), "--format", "csv").stdout
    assert [row["settings"] for row in csv.DictReader(io.StringIO(table))] == [
        "lr 0.1",
        "probes [probe condition_numbers, every 2], lr 0.1",
        "lr 0.05",
        "probes [probe condition_numbers, every 2], lr 0.05",
    ]


def test_plan_says_hours_of_gpus_and_memory_for_the_named_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    spec = tmp_path / "wide.yaml"
    spec.write_text(
        "dataset: cifar10\ntraining: {epochs: 90}\nresources: {gpus: 0.25}\n"
        "grid: {model: [{name: zerosnet, depth: 8}, {name: resnext, depth: 29, cardinality: 16}]}\n"
    )
    at = ("--home", str(tmp_path))
    small, wide = json.loads(
        sweep("plan", str(spec), *at, "--device", "A100", "--format", "json").stdout
    )
    assert (small["device"], small["starting_multiplier"]) == ("A100", 1)
    assert (wide["device"], wide["starting_multiplier"]) == ("A100", 3)
    assert wide["memory_bytes"] > 14 * 2**30 > 2**30 > small["memory_bytes"]
    assert wide["device_hours"] > small["device_hours"] > 0
    done = sweep("plan", str(spec), *at, "--device", "NVIDIA A100-SXM4-40GB")
    assert done.exit_code == 0
    header, *rows = done.stdout.splitlines()
    assert "memory" in header.split()
    assert f"{wide['memory_bytes'] / 2**30:.3g} GiB" in rows[-1]
    assert "GPU-hours" in done.stderr
    assert "1 run (resnext 29) begins with 3 times its resources" in done.stderr
    refused = sweep("plan", str(spec), *at, "--device", "rtx 2080 ti")
    assert refused.exit_code == 2
    assert "2 to train" in refused.stderr
    assert "1 run (resnext 29) cannot train on one RTX 2080 Ti" in refused.stderr
    unknown = sweep("plan", str(spec), *at, "--device", "H300")
    assert unknown.exit_code == 2
    assert "did you mean 'H200'? there are RTX 2080 Ti, " in unknown.stderr


def test_a_gpu_is_named_for_runs_on_gpus_only(tmp_path: Path) -> None:
    spec = tmp_path / "cpus.yaml"
    spec.write_text("model: zerosnet\ndepth: 8\ndataset: digits\n")
    done = sweep("plan", str(spec), "--home", str(tmp_path), "--device", "A100")
    assert done.exit_code == 2
    assert "--set resources.gpus=1" in done.stderr
    (tmp_path / "sweep.toml").write_text('device = "A100"\n')
    assert "CPU-" in sweep("plan", str(spec), "--home", str(tmp_path)).stderr


def test_show_writes_its_page_to_a_file(home: Path, tmp_path: Path) -> None:
    run_id = ask(home, "plan", str(home.parent / "tiny.yaml"))[0]["run_id"]
    where = (run_id, "--home", str(home))
    done = sweep("show", *where, "--output", str(tmp_path / "page.txt"))
    assert (done.exit_code, done.stdout) == (0, "")
    assert (tmp_path / "page.txt").read_text() == sweep("show", *where).stdout


def test_plot_says_that_it_leaves_out_too_many_probe_values(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("results.figures.probe_rows.MOST_VALUES", -1)
    done = sweep("plot", "tiny", "--home", str(home), "--output", str(tmp_path))
    assert done.exit_code == 0, done.stderr
    assert done.stderr.startswith("probes are left out: these runs have 0 values of them")


def test_import_renames_each_of_several_sweeps(home: Path, tmp_path: Path) -> None:
    both, archive = shutil.copytree(home, tmp_path / "both"), str(tmp_path / "archive")
    second = tmp_path / "second.yaml"
    second.write_text(SPEC.replace("name: tiny", "name: second"))
    where = ("--home", str(both))
    assert sweep("run", str(second), *where, "--executor", "inline").exit_code == 0
    exported = sweep("export", "--output", archive, *where)
    assert exported.exit_code == 0
    size = r"2 sweeps with \d+ runs, \d+ kB; SHA-256 [0-9a-f]{64}\n"
    assert re.fullmatch(re.escape(archive) + ": " + size, exported.stderr)
    new = ("--home", str(tmp_path / "new"))
    refused = sweep("import", archive, "--as", "first", *new)
    assert refused.exit_code == 2
    assert "--as 'first': the archive has the sweeps" in refused.stderr
    assert "write OLD=NEW" in refused.stderr
    assert not (tmp_path / "new").exists()
    done = sweep("import", archive, "--as", "tiny=first", "--as", "second=third", *new)
    assert done.exit_code == 0, done.stderr
    assert {status["sweep"] for status in ask(tmp_path / "new", "status")} == {"first", "third"}


def test_the_version_is_that_of_the_package() -> None:
    assert sweep("--version").stdout == f"sweep {version('multistep-sweep')}\n"
    module = [sys.executable, "-m", "multistep_sweep", "--version"]
    said = subprocess.run(module, capture_output=True, text=True, check=True).stdout
    assert said == sweep("--version").stdout


def test_status_names_drivers_and_the_first_20_faults(tmp_path: Path) -> None:
    seeds = SPEC.replace("seed: [0, 1]", f"seed: {list(range(6))}")
    (tmp_path / "lost.yaml").write_text(seeds.replace("quick", "loses_its_dataset"))
    where = ("--home", str(tmp_path / "home"))
    run = sweep("run", str(tmp_path / "lost.yaml"), *where, "--executor", "inline")
    assert run.exit_code == 3
    database = f"sqlite:///{tmp_path}/home/sweep.db"
    with Store.open(database, create=False) as store, store.driving("/runs", "sweep run"):
        ids = [run.run_id for run in store.pending("tiny")]
        for run_id, attempt in store.claim_all(ids, provenance={}).items():
            number = ids.index(run_id)
            where_it_ran = {"host": f"node-{max(3, number)}"}
            store.release(
                run_id, attempt, "lost", "signal 9", fault="worker_lost", provenance=where_it_ran
            )
        again = store.claim(ids[0], provenance={})
        assert again is not None
        store.release(ids[0], again, "lost", None, fault="worker_lost")
        store.claim_all(ids[:2], provenance={})
        said = sweep("status", *where).stderr.splitlines()
    assert said[0] == f"driver {os.getpid()} on {socket.gethostname()}: 1 run"
    assert said[1].startswith(f"worker lost 2 times: {ids[0]} (")
    assert said[1].endswith(": no reason given")
    # What is alike is one line.
    assert said[2].startswith(f"worker lost 3 times: {ids[1]} (")
    assert said[2].endswith(") and 2 more on node-3: signal 9")
    assert said[3].startswith(f"worker lost once: {ids[4]} (")
    assert said[3].endswith(" on node-4: signal 9")
    # 24 runs, one of which was also stopped.
    assert len(said) == 1 + 20 + 1
    assert said[-1] == "... and 3 more: --format json"


@pytest.mark.parametrize("option", [("--ray-address", "somewhere:1"), ("--ray-dashboard",)])
def test_ray_options_are_refused_without_ray(
    home: Path, tmp_path: Path, option: tuple[str, ...]
) -> None:
    done = sweep(
        "run", str(home.parent / "tiny.yaml"), "--home", str(tmp_path / "new"),
        "--executor", "inline", *option,
    )  # fmt: skip
    assert done.exit_code == 2
    assert option[0] in done.stderr
    assert not (tmp_path / "new").exists()
