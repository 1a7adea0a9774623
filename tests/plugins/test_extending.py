"""The examples of docs/extending.md, as one installed package that a sweep is run with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from extending import EXAMPLES, PAGE, write_plankton, write_project, write_specs
from results.figures import FIGURES
from results.published import PUBLISHED
from sweeper.commands import COMMANDS
from sweeper.executors import EXECUTORS
from trainers.config.evaluations import EVALUATIONS
from trainers.config.probes import PROBES
from trainers.config.trainers import TRAINERS
from trainers.data.datasets import DATASETS
from trainers.models import MODELS

SWEEP = str(Path(sys.executable).with_name("sweep"))

REGISTRIES = (
    MODELS, DATASETS, EVALUATIONS, PROBES, TRAINERS, EXECUTORS, FIGURES, COMMANDS, PUBLISHED,
)  # fmt: skip

pytestmark = pytest.mark.slow

Sweep = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package of all examples, built and installed as its user would."""
    project, site = (tmp_path_factory.mktemp(name) for name in ("project", "site"))
    write_project(project)
    command = [
        sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install",
        "--no-deps", "--no-build-isolation", "--no-index", "--target", str(site), str(project),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return site


def command_with(*sites: Path, folder: Path) -> Sweep:
    """The command line in a folder of its own, with these folders on Python's path."""

    def sweep(
        *arguments: str, code: int = 0, program: Sequence[str] = (SWEEP,)
    ) -> subprocess.CompletedProcess[str]:
        paths = [*map(str, sites), os.environ["PYTHONPATH"]]
        done = subprocess.run(
            [*program, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    return sweep


class Said(NamedTuple):
    """What a command came to."""

    code: int
    stdout: str
    stderr: str


def one_after_the_other(sweep: Sweep, *commands: Sequence[str]) -> list[Said]:
    """In one process, which starts once."""
    program = (
        "import json\n"
        "from command_line import sweep\n"
        f"said = [sweep(*arguments) for arguments in {commands}]\n"
        "print(json.dumps([(one.exit_code, one.stdout, one.stderr) for one in said]))"
    )
    done = sweep(program=(sys.executable, "-c", program))
    said = [Said(*one) for one in json.loads(done.stdout)]
    assert not any("Traceback" in one.stderr for one in said)
    return said


@pytest.fixture(scope="module")
def sweep(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """The command line, after one sweep with the examples together."""
    folder = tmp_path_factory.mktemp("laboratory")
    command = command_with(site, folder=folder)
    write_specs(folder)
    missing = command("run", "plankton.yaml", "--executor", "inline", code=3)
    assert missing.stderr.splitlines()[-1] == EXAMPLES["A dataset"].shown[-1].replace(
        ".sweep", str(folder / ".sweep")
    )
    write_plankton(folder / ".sweep" / "data")
    done = command("run", "plankton.yaml", "--executor", "background")
    assert EXAMPLES["An executor"].shown[0] in done.stderr
    return command


def words(line: str) -> list[str]:
    return line.split()


def test_every_kind_of_plugin_has_a_documented_example() -> None:
    groups = re.findall(r"^\| `(sweep\.\w+)` \|", PAGE, re.M)
    assert sorted(groups) == sorted(registry.group for registry in REGISTRIES)
    shown = re.findall(r'^\[project\.entry-points\."(.+)"\]$', PAGE, re.M)
    assert shown == groups


def test_a_plugin_model_can_be_planned_and_again_without_torch(sweep: Sweep) -> None:
    done = sweep("plan", "plain.yaml")
    header, _, *rows = done.stdout.splitlines()
    shown = EXAMPLES["A model"].shown
    assert words(header) == words(shown[0])
    for row, expected in zip(rows, shown[2:], strict=True):
        known = len(words(header)) - 1  # the last is an estimate, with its unit
        assert words(row)[:known] == words(expected)[:known]
    arguments = ["plan", "plain.yaml", "--home", "counted"]
    program = (
        "import sys\n"
        "from sweeper.cli import app\n"
        f"app({arguments}, standalone_mode=False)\n"
        "print(sorted({'torch', 'ray', 'sweep_example.plain', 'sweep_example.plankton'}"
        " & sys.modules.keys()))"
    )
    done = sweep(program=(sys.executable, "-c", program))
    assert done.stdout.splitlines()[-1] == "['sweep_example.plain']"


@pytest.mark.parametrize("heading", ["An evaluation", "A trainer"])
def test_results_of_plugins_are_reported(heading: str, sweep: Sweep) -> None:
    example = EXAMPLES[heading]
    header, _, *rows = sweep(*example.arguments).stdout.splitlines()
    shown = example.shown
    assert words(header)[: len(words(shown[0]))] == words(shown[0])
    for row, expected in zip(rows, shown[2:], strict=True):  # numbers are the machine's
        assert words(row)[:1] == words(expected)[:1] or row.endswith("mean ± std (n-1)")


@pytest.mark.parametrize("heading", ["A probe", "A figure"])
def test_a_plugin_figure_is_drawn(heading: str, sweep: Sweep) -> None:
    example = EXAMPLES[heading]
    assert sweep(*example.arguments).stdout.splitlines() == example.shown


def test_the_html_report_includes_a_plugin_figure(sweep: Sweep, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    sweep("report", "plankton", "--html", str(page))
    assert "Accuracy by time" in page.read_text()


def test_a_plugin_command_runs_and_is_listed_without_import(sweep: Sweep) -> None:
    example = EXAMPLES["A command"]
    header, _, *rows = sweep(*example.arguments).stdout.splitlines()
    assert words(header) == words(example.shown[0])
    assert len(rows) == 1 == len(example.shown[2:])
    assert "how many runs" in sweep("slowest", "--help").stdout
    program = (
        "import sys\nfrom sweeper.cli import app\napp(['--help'], standalone_mode=False)\n"
        "print([name for name in sys.modules if name.startswith('sweep_example')])"
    )
    listed = sweep(program=(sys.executable, "-c", program)).stdout.splitlines()
    assert "  slowest  from sweep-example 1.0" in listed
    assert listed[-1] == "[]"


def test_a_plugin_published_table_can_be_compared(sweep: Sweep) -> None:
    example = EXAMPLES["A published table"]
    done = sweep(*example.arguments)
    assert example.shown[0] in done.stdout
    assert "71.30 ± 1.20" in done.stdout


def test_a_sweep_stops_where_a_plugin_is_missing(sweep: Sweep, tmp_path: Path) -> None:
    write_specs(tmp_path)
    done = command_with(folder=tmp_path)("plan", "plain.yaml", code=2)
    assert done.stderr.startswith("error: plain.yaml:2:9: unknown model 'plain'")


def test_an_unused_broken_plugin_is_named_and_stops_nothing(site: Path, tmp_path: Path) -> None:
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    (broken / "sweep_example" / "plain.py").unlink()
    (broken / "sweep_example" / "accuracy_by_time.py").write_text("import no_such_module\n")
    (broken / "sweep_example" / "slowest.py").write_text("1 / 0\n")
    (broken / "sweep_example" / "table2.csv").unlink()
    write_specs(tmp_path)
    (tmp_path / "quick.yaml").write_text(
        "name: quick\npublished: plankton/table2\nmodel: zerosnet\ndepth: 8\n"
        "dataset: {name: digits, subset: 64}\n"
        "training: {epochs: 1}\ntrainer: fake_trainers:quick\n"
    )
    plan, slowest, run, report, compare, plot, listed = one_after_the_other(
        command_with(broken, folder=tmp_path),
        ["plan", "plain.yaml"],
        ["slowest", "quick"],
        ["run", "quick.yaml", "--executor", "inline"],
        ["report", "quick", "--html", "page.html"],
        ["compare", "quick"],
        ["plot", "quick", "accuracy_by_time"],
        ["--help"],
    )
    assert [said.code for said in (plan, slowest, run, report, compare, plot, listed)] == [
        2, 2, 0, 0, 2, 2, 0,
    ]  # fmt: skip
    assert plan.stderr.strip() == EXAMPLES["When something is wrong"].block("", 0).strip()
    assert slowest.stderr.count("\n") == 1
    assert "plug-in sweep-example 1.0 (sweep.commands: slowest" in slowest.stderr
    assert "ZeroDivisionError: division by zero" in slowest.stderr
    page = (tmp_path / "page.html").read_text()
    assert "Characteristic roots" in page
    assert "No accuracy_by_time: plug-in sweep-example 1.0" in page
    assert "No comparison: plug-in sweep-example 1.0" in page
    assert "(sweep.published: plankton/table2 = " in compare.stderr
    assert "ModuleNotFoundError: No module named 'no_such_module'" in plot.stderr
    assert "slowest" in listed.stdout


BROKEN = {
    "A dataset": "plankton.yaml:4:1: dataset: plug-in sweep-example 1.0 (sweep.datasets: plankton",
    "An evaluation": "plankton.yaml:7:6: plug-in sweep-example 1.0 (sweep.evaluations: salt_",
    "A probe": "plankton.yaml:9:5: probes.0: plug-in sweep-example 1.0 (sweep.probes: weight_norms",
    "A trainer": "plankton.yaml:11:35: plug-in sweep-example 1.0 (sweep.trainers: nearest_mean",
    "An executor": "--executor: plug-in sweep-example 1.0 (sweep.executors: background",
}


@pytest.mark.parametrize("heading", BROKEN)
def test_a_used_broken_plugin_is_an_error_before_anything_is_written(
    heading: str, site: Path, tmp_path: Path
) -> None:
    (file,) = (path for path in EXAMPLES[heading].files if path.endswith(".py"))
    shutil.copytree(site, tmp_path / "site")
    (tmp_path / "site" / file).write_text("raise ImportError('half of it\\nis missing')\n")
    write_specs(tmp_path)
    sweep = command_with(tmp_path / "site", folder=tmp_path)
    done = sweep("run", "plankton.yaml", "--executor", "background", code=2)
    assert done.stderr.startswith(f"error: {BROKEN[heading]}"), done.stderr
    assert "cannot be imported: ImportError: half of it is missing (" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / ".sweep").exists()


def test_a_plugin_name_conflict_names_both_packages(site: Path, tmp_path: Path) -> None:
    metadata = tmp_path / "sweep_other-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: sweep-other\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[sweep.commands]\nslowest = sweep_other:slowest\nstatus = sweep_other:status\n"
    )
    sweep = command_with(site, tmp_path, folder=tmp_path)
    shown = EXAMPLES["When something is wrong"].block("", 1).strip()
    assert sweep("slowest", "plankton", code=2).stderr.strip() == shown
    done = sweep("status", code=2)
    assert "plug-in sweep-other 1.0 (sweep.commands: status" in done.stderr
    assert "a name that is sweep's own" in done.stderr
    assert "there is no database" in sweep("report", code=3).stderr
    assert "cannot be used" in sweep("--help").stdout


@pytest.mark.ray
def test_ray_workers_resolve_plugin_names(sweep: Sweep) -> None:
    done = sweep("run", "plankton.yaml", "--set", "seed=1", "--slots", "1")
    assert "2 of 2 runs done" in done.stderr
