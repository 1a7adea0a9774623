"""One run from plain data to plain data, in a process and from the command line."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import pickletools
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sweep_plugins import UnknownNameError
from trainers.command import main
from trainers.config.job import TrainingJob, TrainingResult
from trainers.config.trainers import BUILT_IN_TRAINER
from trainers.errors import CheckpointError, ResultError, TrainerError
from trainers.provenance.repository import git_commit
from trainers.result_file import read_result, store_result
from trainers.run import evaluate_stored, prepare, run
from trainers.storage import open_folder

Small = Callable[..., dict[str, Any]]

NO_DATA = Path("/nonexistent")
QUICK = {"training": {"epochs": 1, "batch_size": 64}, "dataset": {"name": "digits", "subset": 64}}
GAUSSIAN = {"noise": "gaussian", "std": "3/10"}


@pytest.fixture(scope="module")
def finished(small: Small, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A finished run's folder, and what `run` returned."""
    folder = tmp_path_factory.mktemp("run") / "2"
    result = run(
        small(**QUICK), [GAUSSIAN], data_dir=NO_DATA, folder=open_folder(folder), attempt=2
    )
    return folder, result


def test_a_finished_run_stores_its_result_and_weights(
    finished: tuple[Path, dict[str, Any]],
) -> None:
    folder, _ = finished
    assert sorted(path.name for path in folder.iterdir()) == [
        "result.json",
        "weights.pt",
        "weights.pt.sha256",
    ]


def test_the_stored_result_equals_the_returned_one(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, result = finished
    assert read_result(open_folder(folder), result["run_id"]) == result
    stored = json.loads((folder / "result.json").read_text())
    assert len(stored.pop("sha256")) == 64
    assert stored == result


def test_a_result_has_the_documented_keys(
    small: Small, finished: tuple[Path, dict[str, Any]]
) -> None:
    _, result = finished
    assert set(result) == {
        "format", "run_id", "attempt", "parameters", "test_accuracy", "best_test_accuracy",
        "best_epoch", "train_accuracy", "generalization_gap", "test_loss", "train_loss",
        "diverged", "diverged_epoch", "train_seconds", "images_per_second", "weights_sha256",
        "learned_coefficients", "epochs", "evaluations", "probes", "blocks", "provenance",
    }  # fmt: skip
    assert result["attempt"] == 2
    (epoch,) = result["epochs"]
    assert set(epoch) == {
        "epoch", "learning_rate", "train_loss", "train_accuracy", "test_loss", "test_accuracy",
        "seconds",
    }  # fmt: skip
    (evaluation,) = result["evaluations"]
    assert set(evaluation) == {
        "evaluation_id", "name", "kind", "level", "config", "accuracy", "loss",
    }  # fmt: skip
    assert (evaluation["name"], evaluation["kind"], evaluation["level"]) == (
        "gaussian[0.3]",
        "gaussian",
        0.3,
    )
    assert evaluation["config"] == {"noise": "gaussian", "std": 0.3, "seed": 1}


def test_provenance_names_host_device_and_versions(finished: tuple[Path, dict[str, Any]]) -> None:
    provenance = finished[1]["provenance"]
    assert set(provenance) == {
        "host", "pid", "device", "device_name", "cpu", "cuda", "nvidia_driver", "threads",
        "python", "torch", "numpy", "git_commit", "packages", "started_at",
        "finished_at", "first_epoch",
    }  # fmt: skip
    assert (provenance["device"], provenance["threads"], provenance["first_epoch"]) == ("cpu", 1, 1)
    assert provenance["python"] == ".".join(map(str, sys.version_info[:3]))
    packages = provenance["packages"]
    assert packages["torch"] == provenance["torch"].partition("+")[0]
    assert {name: version(name) for name in packages} == packages
    assert provenance["started_at"] < provenance["finished_at"] <= time.time()


def test_reading_a_result_needs_no_torch(finished: tuple[Path, dict[str, Any]]) -> None:
    # A worker's result reaches the driver pickled, and importing torch there takes a second.
    opcodes = {opcode.name for opcode, _, _ in pickletools.genops(pickle.dumps(finished[1]))}
    assert not opcodes & {"GLOBAL", "STACK_GLOBAL"}


def test_a_stored_result_of_another_run_is_ignored(finished: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = finished
    assert read_result(open_folder(folder), "0" * 16) is None


@pytest.mark.parametrize(
    "content",
    [b"", b'{"format": 1, "run_id": "a', b"\xff\xfe\x00", b"[1, 2]", b"null", b"{}"],
    ids=str,
)
def test_a_damaged_stored_result_is_ignored(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "result.json").write_bytes(content)
    assert read_result(open_folder(tmp_path), "a" * 16) is None


def test_a_missing_or_outdated_stored_result_is_ignored(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    assert read_result(folder, "a") is None
    assert read_result(open_folder(tmp_path / "nowhere"), "a") is None
    store_result(folder, {"format": 1, "run_id": "a"})
    assert read_result(folder, "a") == {"format": 1, "run_id": "a"}
    store_result(folder, {"format": 2, "run_id": "a"})
    assert read_result(folder, "a") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside) | st.dictionaries(st.text(), inside),
    max_leaves=10,
)
RUN = "0123456789abcdef"
RESTS = (
    st.binary(max_size=80)
    | st.text(max_size=80).map(lambda text: text.encode(errors="replace"))
    | st.dictionaries(st.text(), JSON, min_size=1).map(
        lambda found: json.dumps({"run_id": RUN} | found, indent=1)[2:].encode()
    )
)


@settings(max_examples=80)
@given(rest=RESTS, is_whole=st.booleans())
def test_any_bytes_of_a_stored_result_are_one_or_none_or_an_error(
    rest: bytes, is_whole: bool
) -> None:
    digest = hashlib.sha256(rest if is_whole else rest + b" ").hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "result.json").write_bytes(f'{{\n "sha256": "{digest}",\n'.encode() + rest)
        try:
            found = read_result(open_folder(folder), RUN)
        except ResultError:
            assert is_whole
            return
    assert found is None or (is_whole and found.get("run_id", RUN) == RUN)


def test_a_number_that_json_cannot_hold_is_never_stored(tmp_path: Path) -> None:
    with pytest.raises(ResultError, match="not JSON compliant"):
        store_result(open_folder(tmp_path), {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_invalid_arguments_fail_before_training(small: Small, tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "a")
    with pytest.raises(ValidationError, match="seed"):
        run(small(seed=-1), data_dir=NO_DATA, folder=folder)
    with pytest.raises(ValidationError, match="std"):
        run(small(), [{"noise": "gaussian", "std": -1}], data_dir=NO_DATA, folder=folder)
    with pytest.raises(UnknownNameError, match="gaussian"):
        run(small(), [{"noise": "gausian", "std": 1}], data_dir=NO_DATA, folder=folder)
    assert not (tmp_path / "a").exists()


def test_evaluating_without_stored_weights_is_an_error(small: Small, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no stored weights"):
        evaluate_stored(small(), [GAUSSIAN], data_dir=NO_DATA, folders=[open_folder(tmp_path)])


def fixed_trainer(job: TrainingJob) -> TrainingResult:
    """A trainer from elsewhere, which does nothing."""
    return {
        "parameters": 1, "test_accuracy": 12.5, "best_test_accuracy": 12.5, "best_epoch": 1,
        "train_accuracy": 50.0, "generalization_gap": 37.5, "test_loss": 1.0, "train_loss": 0.5,
        "diverged": False, "diverged_epoch": None, "train_seconds": 0.1,
        "images_per_second": None, "weights_sha256": None, "learned_coefficients": None,
        "epochs": [], "evaluations": [],
    }  # fmt: skip


def test_a_trainer_of_another_module_is_used(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "elsewhere", sys.modules[__name__])
    config = small(trainer="elsewhere:fixed_trainer")
    result = run(config, data_dir=NO_DATA, folder=open_folder(tmp_path))
    assert result["test_accuracy"] == 12.5
    assert result["provenance"]["first_epoch"] == 1
    assert read_result(open_folder(tmp_path), result["run_id"]) == result


@pytest.mark.slow
def test_python_m_trainers_prints_the_result_of_one_run(small: Small, tmp_path: Path) -> None:
    config, evaluations = tmp_path / "config.json", tmp_path / "evaluations.json"
    config.write_text(json.dumps(small(**QUICK)))
    evaluations.write_text(json.dumps([GAUSSIAN]))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "trainers", str(config)),
            *("--evaluations", str(evaluations), "--data-dir", str(tmp_path / "data")),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["epochs"][0]["epoch"] == 1
    assert result["evaluations"][0]["name"] == "gaussian[0.3]"
    assert done.stderr.startswith("epoch 1: ")
    # Another process, the same bits.
    here = run(small(**QUICK), [GAUSSIAN], data_dir=NO_DATA)
    assert result["weights_sha256"] == here["weights_sha256"]
    assert result["evaluations"] == here["evaluations"]
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_python_m_trainers_refuses_an_invalid_config(small: Small, tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(small(model={"name": "zerosnte", "depth": 8})))
    done = subprocess.run(
        [sys.executable, "-m", "trainers", str(config)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    assert "did you mean 'zerosnet'?" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_python_m_trainers_runs_in_a_checkout_that_is_not_installed(tmp_path: Path) -> None:
    for name in ("multistep_sweep.py", "sweep_plugins", "trainers"):
        (tmp_path / name).symlink_to(Path(__file__).parents[2] / name)
    (tmp_path / "gzip.py").write_text("raise SystemExit('the wrong gzip')")
    done = subprocess.run(
        # Without what an editable installation adds to the path.
        [sys.executable, "-S", "-m", "trainers", "no.json"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "No such file or directory: 'no.json'" in done.stderr


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "No such file"),
        ("{", "Expecting property name"),
        ("[]", "RunConfig"),
        ('{"seed": 1}', "Field required"),
        (
            '{"model": {"name": "zerosnet", "depth": 9}, "dataset": "digits", "seed": 0}',
            "nearest are 8 and 14",
        ),
    ],
)
def test_python_m_trainers_exits_with_2_on_bad_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, complaint: str
) -> None:
    config = tmp_path / "config.json"
    if text is not None:
        config.write_text(text)
    assert main([str(config)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert complaint in err


ESCAPES = """
def train(job):
    job.on_epoch({"epoch": 1, "\\x1b[2J": 0.5})
    raise ValueError("\\x1b[2J")


def leaves(job):
    raise SystemExit(0)
"""


def test_python_m_trainers_shows_control_characters_as_such(
    small: Small,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    Path("escaping_trainer.py").write_text(ESCAPES)
    Path("its own").write_text(json.dumps(small(trainer="escaping_trainer:train")))
    Path("unknown").write_text(json.dumps(small(trainer="\x1b[2J")))
    with pytest.raises(SystemExit):
        main(["a", "--\x1b[2J"])
    assert main(["\x1b[2J.json"]) == 2
    assert main(["unknown"]) == 2
    complaints = capsys.readouterr().err
    assert complaints.count("error: ") == 3
    # What a trainer raises is no request that is wrong.
    assert main(["its own"]) == 1
    own = capsys.readouterr().err
    Path("leaving").write_text(json.dumps(small(trainer="escaping_trainer:leaves")))
    assert main(["leaving"]) == 1
    assert capsys.readouterr().err.endswith("SystemExit: 0\n")
    assert 'escaping_trainer.py", line 4, in train\n' in own
    assert own.endswith("ValueError: \\x1b[2J\n")
    for said in (complaints, own):
        assert "\\x1b[2J" in said
        assert "\x1b" not in said


def test_python_m_trainers_finds_files_in_the_users_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config.json").write_text('{"model": 3}')
    assert main(["~/config.json"]) == 2
    assert "3 is not a model" in capsys.readouterr().err


@pytest.mark.slow
def test_python_m_trainers_stores_at_a_path_or_url(
    small: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(small(**QUICK)))
    for place in (str(tmp_path / "kept"), f"memory://{tmp_path.name}"):
        assert main([str(config), "--folder", place]) == 0
        result = json.loads(capsys.readouterr().out)
        assert read_result(open_folder(place), result["run_id"]) == result


@pytest.mark.parametrize(
    ("folder", "complaint"),
    [
        ("s4://bucket", "did you mean s3://"),
        ("/dev/null/folder", "Not a directory"),
        ("~no_such_user/folder", "is no path"),
    ],
)
def test_python_m_trainers_exits_with_2_on_an_unusable_folder(
    small: Small,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    folder: str,
    complaint: str,
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(small(**QUICK)))
    assert main([str(config), "--folder", folder]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("error: ")
    assert complaint in err


@pytest.mark.parametrize(
    "trainer", ["no_such_module:train", "trainers.training.train:no_such_function"]
)
def test_python_m_trainers_exits_with_2_on_a_missing_trainer(
    small: Small, tmp_path: Path, trainer: str
) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(small(trainer=trainer)))
    assert main([str(config)]) == 2


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("raise OSError('libcudart.so: cannot open')", "OSError: libcudart.so: cannot open"),
        ("raise SystemExit(1)", "SystemExit: 1"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sweep_plugins as s; raise s.PluginError('its own')", "PluginError: its own"),
    ],
)
def test_a_trainer_that_cannot_be_imported_is_found_before_any_run(
    code: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", list(sys.path))
    (tmp_path / "broken_trainer.py").write_text(f"\n{code}\n")
    with pytest.raises(TrainerError) as raised:
        prepare(["broken_trainer:train"], module_folders=[tmp_path])
    assert str(raised.value) == (
        f"trainer 'broken_trainer:train' cannot be imported on {socket.gethostname()}: {reason}"
        f" ({tmp_path / 'broken_trainer.py'}:2)"
    )
    assert sys.path[-1] == str(tmp_path)


def test_a_trainer_that_is_no_function_is_found_before_any_run() -> None:
    with pytest.raises(TrainerError, match=r"'math:pi' is no function: 3.14"):
        prepare(["math:pi"])


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (True, "torch cannot use cuda on .*: RuntimeError: no driver.*resources.gpus=0"),
        (False, "torch sees none on .*resources.gpus=0"),
    ],
)
def test_a_gpu_that_does_not_start_is_found_before_any_run(
    there: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(*_: Any, **__: Any) -> None:
        raise RuntimeError("no driver")

    monkeypatch.setattr("torch.cuda.is_available", lambda: there)
    monkeypatch.setattr("torch.zeros", start)
    with pytest.raises(TrainerError, match=message):
        prepare([BUILT_IN_TRAINER], device="cuda")


@pytest.mark.parametrize(("variable", "commit"), [("abc123", "abc123"), ("", None)])
def test_without_git_the_commit_is_the_one_of_the_environment(
    variable: str, commit: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setenv("SWEEP_GIT_COMMIT", variable)
    assert git_commit.__wrapped__() == commit


@pytest.mark.parametrize(
    ("trainer", "imported", "accuracy"),
    [("quick", False, 50.0), ("imports_torch_late", True, 100.0)],
)
def test_torch_is_set_up_when_a_trainer_imports_it_and_not_imported_before(
    small: Small, trainer: str, imported: bool, accuracy: float
) -> None:
    config = small(**QUICK, trainer=f"fake_trainers:{trainer}")
    program = (
        "import json, sys\nfrom pathlib import Path\nfrom trainers.run import run\n"
        f"result = run({config!r}, data_dir=Path(), threads=2)\n"
        "version = result['provenance']['torch']\n"
        "print(json.dumps([version is not None, 'torch' in sys.modules, result['test_accuracy']]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [imported, imported, accuracy]


def test_torch_is_set_up_as_asked_last_before_its_import() -> None:
    program = (
        "from trainers.torch_setup import prepare_torch\nfor threads in (1, 2, 2, 1):\n"
        "    prepare_torch(threads)\nimport torch\nprint(torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_torch_that_is_given_back_is_as_it_was() -> None:
    program = (
        "import torch\nfrom trainers.torch_setup import give_torch_back, prepare_torch\n"
        "def settings():\n"
        "    return (torch.get_num_threads(), torch.get_deterministic_debug_mode(),\n"
        "            torch.utils.deterministic.fill_uninitialized_memory)\n"
        "torch.set_num_threads(3)\nbefore = settings()\n"
        "prepare_torch(1)\nprepare_torch(2)\nprint(settings() == (2, 2, False))\n"
        "give_torch_back()\nprint(settings() == before)\n"
        "give_torch_back()\nprepare_torch(1)\nprint(settings() == (1, 2, False))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True\nTrue\nTrue\n", "")


def test_torch_imported_after_it_was_given_back_is_as_ever() -> None:
    program = (
        "from trainers.torch_setup import give_torch_back, prepare_torch\n"
        "prepare_torch(1)\ngive_torch_back()\nimport torch\n"
        "print(torch.get_deterministic_debug_mode())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n", "")
