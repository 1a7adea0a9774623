"""Files of the user's that have names of our packages or of Python's own modules."""

from __future__ import annotations

import json
import keyword
import shutil
from pathlib import Path

import pytest

import fake_trainers
from sweeper.spec.spec import spec_from_text

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(280)]

SPEC = """
name: tiny
model: zerosnet
dataset: digits
depth: 8
scheme: {lambda: 10}
seed: 0
training: {epochs: 1}
"""

IN_THE_WAY = "raise SystemExit('a foreign file was imported: ' + __file__)\n"


def fill(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir()
            path = path / "__init__.py"
        path.write_text(IN_THE_WAY)
    return folder


def measured(installed, folder: Path, path: tuple[Path, ...] = ()) -> dict[str, object]:
    """What a report and a plan say of the only run."""
    runs = ["report", "--group-by", "run_id", "--format", "json"]
    (found,) = json.loads(installed.sweep(*runs, folder=folder, path=path).stdout)
    return {key: value for key, value in found.items() if "second" not in key}


@pytest.fixture(scope="module")
def undisturbed(installed, tmp_path_factory) -> dict[str, object]:
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "tiny.yaml").write_text(SPEC)
    installed.sweep("run", "tiny.yaml", "--executor", "inline", folder=folder)
    return measured(installed, folder)


@pytest.mark.parametrize(
    ("executor", "places"),
    [
        ("inline", ("current folder",)),
        ("inline", ("PYTHONPATH",)),
        ("ray", ("current folder", "PYTHONPATH")),
    ],
)
def test_foreign_modules_on_the_path_do_not_change_a_sweep(
    installed, undisturbed, tmp_path, executor, places
):
    here = tmp_path / "here"
    here.mkdir()
    names = ("results/", "trainers.py", "random.py", "sweeper.py", "test/")
    others = ("results.py", "trainers/", "random/", "sweeper/", "tokenize.py")
    path: tuple[Path, ...] = ()
    if "current folder" in places:
        # The last ones are not installed, and imported by others if they are.
        fill(here, *names, "gmpy2.py", "numexpr.py", "opt_einsum.py")
    if "PYTHONPATH" in places:
        path = (fill(tmp_path / "one", *names), fill(tmp_path / "other", *others))
    (here / "tiny.yaml").write_text(SPEC)
    run = ["run", "tiny.yaml", "--executor", executor, "--slots", "1"]
    done = installed.sweep(*run, folder=here, path=path)
    assert "1 trained now" in done.stderr
    assert measured(installed, here, path) == undisturbed


def test_a_plain_results_folder_on_pythonpath_changes_nothing(installed, undisturbed, tmp_path):
    (tmp_path / "lib" / "results").mkdir(parents=True)
    (tmp_path / "tiny.yaml").write_text(SPEC)
    path = (tmp_path / "lib",)
    installed.sweep("run", "tiny.yaml", "--executor", "inline", folder=tmp_path, path=path)
    assert measured(installed, tmp_path, path) == undisturbed


@pytest.mark.parametrize("place", ["current folder", "PYTHONPATH"])
def test_foreign_modules_on_the_path_do_not_change_a_single_run(installed, tmp_path, place):
    """`python -m trainers`; a `trainers.py` itself would be what Python runs there."""
    here, lib = tmp_path / "here", tmp_path / "lib"
    here.mkdir()
    fill(here if place == "current folder" else lib, "results.py", "random.py", "sweeper.py")
    (config,) = spec_from_text(SPEC, "tiny.yaml").configs
    (here / "config.json").write_text(config.model_dump_json())
    run = ["python", "-m", "trainers", "config.json"]
    done = installed.run(*run, folder=here, path=(lib,) if lib.exists() else ())
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["run_id"] == config.run_id


@pytest.mark.parametrize("executor", ["inline", "ray"])
def test_a_trainer_in_the_current_folder_is_found(installed, tmp_path, executor):
    fill(tmp_path, "random.py", "results/")
    shutil.copy(fake_trainers.__file__, tmp_path / "mine.py")
    (tmp_path / "tiny.yaml").write_text(SPEC + "trainer: mine:quick\n")
    run = ["run", "tiny.yaml", "--executor", executor, "--slots", "1"]
    assert "1 trained now" in installed.sweep(*run, folder=tmp_path).stderr


def test_a_shadowed_standard_module_is_one_clear_error_line(installed, tmp_path):
    """Python imports `keyword` itself to start the console script."""
    lib = tmp_path / "lib"
    lib.mkdir()
    shutil.copy(keyword.__file__, lib / "keyword.py")
    program = (installed.bin / "sweep").read_text()
    if "import re" not in program:
        pytest.skip("this console script imports nothing before ours")
    done = installed.run("sweep", "--help", folder=tmp_path, path=(lib,))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: Python has imported {lib / 'keyword.py'} in place of its own module of that name:"
        f" rename it, or take {lib} out of PYTHONPATH\n"
    )


def test_the_order_of_pythonpath_is_kept_if_nothing_is_shadowed(installed, tmp_path):
    """A newer version of a package on PYTHONPATH is what the user wants to have imported."""
    lib = tmp_path / "lib"
    (lib / "rich").mkdir(parents=True)
    code = (
        "import sys; before = list(sys.path)\n"
        "from multistep_sweep import find_own_modules_first\n"
        "find_own_modules_first(); assert sys.path == before, sys.path"
    )
    done = installed.run("python", "-c", code, folder=tmp_path, path=(lib,))
    assert done.returncode == 0, done.stderr
