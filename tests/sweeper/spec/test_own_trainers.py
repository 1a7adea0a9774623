"""Trainers of one's own in a spec: what they declare, and what is wrong with them, before a run."""

from __future__ import annotations

import os
import py_compile
import zipfile
from pathlib import Path
from unittest import mock

import pytest

import sweeper.spec.own_trainers.describing_process
from sweeper.errors import Place, ResourceError, SpecError
from sweeper.planning.uncounted_imports import uncounted_imports
from sweeper.spec.own_trainers.describing_process import DescribingProcess
from sweeper.spec.own_trainers.description_cache import Descriptions
from sweeper.spec.own_trainers.own_trainer import OwnTrainers
from sweeper.spec.spec import load_spec
from trainers.config.run import RunConfig
from trainers.config.trainer_run import TrainerRun
from trainers.errors import ConfigError

PLAIN = "def train(job):\n    pass\n"

DECLARED = """\
from pydantic import BaseModel, Field

from trainers.own import Reported, trainer


class Deep(BaseModel):
    rate: float = Field(default=0.5, gt=0)


class Options(BaseModel):
    depth: int = Field(default=2, ge=1)
    kernel: str
    deep: Deep = Deep()


@trainer(options=Options, metrics={"f1": Reported(better="higher", decimals=3)})
def train(job):
    pass
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all, so that a trainer which several tests have is imported once."""
    return tmp_path_factory.mktemp("own")


@pytest.fixture(autouse=True)
def in_a_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.fixture
def described(monkeypatch):
    """The names of trainers that a process was started for."""
    names = []
    monkeypatch.setattr("sweeper.spec.own_trainers.own_trainer.DESCRIPTIONS", Descriptions())
    started = DescribingProcess.__init__

    def start(process, name, path):
        names.append(name)
        started(process, name, path)

    monkeypatch.setattr(DescribingProcess, "__init__", start)
    return names


def load(spec: str, code: str = PLAIN, module: str = "mine.py"):
    path = Path(module)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code)
    Path("own.yaml").write_text(spec)
    return load_spec(Path("own.yaml"))


def refused(spec: str, code: str = PLAIN) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load(spec, code)
    return caught.value


def test_a_run_is_a_trainer_its_options_and_a_seed():
    spec = load(
        "trainer: mine:train\noptions: {depth: 3}\n"
        "grid: {options.kernel: [rbf, linear], seed: [0, 1]}\n"
    )
    configs = [config.to_json() for config in spec.configs]
    assert [config["options"] for config in configs] == [
        {"depth": 3, "kernel": kernel} for kernel in ("rbf", "linear") for _ in range(2)
    ]
    assert [config["seed"] for config in configs] == [0, 1, 0, 1]
    assert configs[0].keys() == {"recipe_version", "trainer", "options", "source", "seed"}
    assert len({config.run_id for config in spec.configs}) == 4


def test_options_get_the_defaults_that_the_trainer_declares():
    (config,) = load("trainer: mine:train\noptions: {kernel: rbf}\n", DECLARED).configs
    assert config.options == {"depth": 2, "kernel": "rbf", "deep": {"rate": 0.5}}


def test_two_ways_of_writing_the_same_options_are_one_run():
    wholly = "trainer: mine:train\noptions: {kernel: rbf, depth: 2, deep: {rate: 1/2}}\n"
    (short,) = load("trainer: mine:train\noptions: {kernel: rbf}\n", DECLARED).configs
    (whole,) = load(wholly.replace("1/2", "0.5"), DECLARED).configs
    assert short.run_id == whole.run_id


@pytest.mark.parametrize(
    ("options", "place", "said"),
    [
        ("{kernal: rbf}", (2, 11), "no option 'kernal'; did you mean 'kernel'? (allowed: deep"),
        ("{depth: 2}", (2, 1), "options.kernel is missing, which trainer mine:train needs"),
        ("{kernel: rbf, depth: 0}", (2, 24), "options.depth: 0 is not allowed: Input should be"),
        ("{kernel: rbf, deep: {rate: x}}", (2, 31), "options.deep.rate: 'x' is not allowed"),
        ("{kernel: rbf, deep: {rat: 1}}", (2, 31), "no option 'rat'"),
        ("[1, 2]", (2, 1), "options: [1, 2] is no mapping"),
        ("{kernel: [rbf]}", (2, 11), "belong in grid: {options.kernel: [...]}"),
        ("{kernel: rbf, deep: {rate: [1, 2]}}", (2, 31), "grid: {options.deep.rate: [...]}"),
    ],
)
def test_a_wrong_option_is_an_error_at_its_place(options, place, said):
    error = refused(f"trainer: mine:train\noptions: {options}\n", DECLARED)
    assert said in str(error)
    assert error.place == Place("own.yaml", *place)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seed: [0, 1]", "several values belong in grid: {seed: [...]}"),
        (
            "trainer: ['mine:train', 'other:train']",
            "several values belong in grid: {trainer: [...]}",
        ),
    ],
)
def test_a_list_where_one_value_stands_belongs_in_the_grid(line, said):
    text = line if line.startswith("trainer") else f"trainer: mine:train\n{line}"
    assert str(refused(f"{text}\n")).endswith(said)


def test_a_module_that_is_nowhere_is_said_with_the_folders_that_were_searched(tmp_path):
    said = str(refused("trainer: nowhere.at_all:train\n"))
    assert f"No module named 'nowhere'; it was looked for in {Path.cwd()}" in said
    assert "it was looked for" not in str(refused("trainer: mine:train\n", "import nowhere\n"))


def test_a_wrong_value_of_an_axis_is_an_error_at_its_place():
    error = refused(
        "trainer: mine:train\noptions: {kernel: rbf}\ngrid:\n  options.depth: [1, 0]\n", DECLARED
    )
    assert (error.place.line, error.place.column) == (4, 22)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nowhere\n", "ModuleNotFoundError: No module named 'nowhere'"),
        ("raise RuntimeError('broken')\n", "RuntimeError: broken"),
        ("def train(job)\n", "SyntaxError"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("import os\nprint('bye')\nos._exit(0)\n", "with exit code 0"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n", "with signal 11"),
        ("print('x' * 10_000_000, flush=True)\nraise ValueError\n", "ValueError"),
        ("def other(job):\n    pass\n", "has no attribute 'train'"),
        ("train = 3\n", "is no function: 3"),
        ("async def train(job):\n    pass\n", "'mine:train' is an async function, where"),
        ("def train(job):\n    yield 1\n", "'mine:train' is a generator, where"),
        (
            "class train:\n    def __init__(self, job):\n        pass\n",
            "'mine:train' is a class, where",
        ),
        ("def train():\n    pass\n", "cannot be called with a job alone"),
        ("def train(job, more):\n    pass\n", "it is a function of one argument, def train(job)"),
        (
            DECLARED.replace("options=Options", "options=int"),
            "the options of trainer 'mine:train' are the class builtins.int: derive their class",
        ),
        (
            "from dataclasses import dataclass\n"
            + DECLARED.replace("class Options(BaseModel)", "@dataclass\nclass Options")
            .replace("    depth: int = Field(default=2, ge=1)\n", "")
            .replace("    deep: Deep = Deep()\n", ""),
            "are the dataclass mine.Options: derive their class from pydantic.BaseModel",
        ),
        (DECLARED.replace("options=Options", "options={'depth': 1}"), "no class: {'depth': 1}"),
        (DECLARED.replace("options=Options", "uses=['modle']"), "can use model, dataset, training"),
        (DECLARED.replace("options=Options", "sources=['none.py']"), "sources has 'none.py'"),
    ],
)
def test_a_trainer_that_cannot_be_imported_is_an_error_at_its_name(code, said):
    error = refused("name: own\ntrainer: mine:train\n", code)
    assert said in str(error)
    assert error.place == Place("own.yaml", 2, 1)


def test_a_trainer_that_does_not_come_back_is_an_error(monkeypatch):
    monkeypatch.setattr(sweeper.spec.own_trainers.describing_process, "SECONDS", 0.3)
    error = refused("trainer: mine:train\n", "import time\ntime.sleep(60)\n")
    assert "importing it took over 0.3 s" in str(error)


def test_reading_a_spec_imports_no_trainer_here(monkeypatch):
    import sys

    load("trainer: mine:train\n")
    assert "mine" not in sys.modules


def test_a_trainer_gets_the_parts_that_it_uses_and_no_others():
    uses = "from trainers.own import trainer\n\n\n@trainer(uses=['dataset', 'training'])\n" + PLAIN
    (config,) = load("trainer: mine:train\ndataset: digits\n", uses).configs
    assert type(config) is TrainerRun
    assert config.dataset is not None
    assert config.dataset.name == "digits"
    missing = refused("trainer: mine:train\n", uses)
    assert "uses a dataset: add dataset: NAME" in str(missing)
    more = refused("trainer: mine:train\ndataset: digits\nmodel: resnet\n", uses)
    assert "model: trainer mine:train uses none" in str(more)
    assert more.place == Place("own.yaml", 3, 1)


def test_a_trainer_of_networks_gets_all_that_image_classification_has():
    spec = "trainer: mine:train\nmodel: resnet\ndepth: 10\ndataset: digits\n"
    (config,) = load(spec).configs
    assert isinstance(config, RunConfig)
    assert config.model.depth == 10
    assert config.source is not None


def test_options_without_a_trainer_of_ones_own_are_an_error():
    error = refused("model: resnet\ndepth: 10\ndataset: digits\noptions: {x: 1}\n")
    assert "options are those of a trainer of your own" in str(error)
    assert error.place == Place("own.yaml", 4, 1)


def test_other_code_is_another_run():
    spec = "trainer: mine:train\n"
    (before,) = load(spec).configs
    (after,) = load(spec, PLAIN.replace("pass", "return {'f1': 1}")).configs
    assert before.run_id != after.run_id
    (again,) = load(spec).configs
    assert again.run_id == before.run_id


def test_every_module_of_a_package_is_its_code():
    spec = "trainer: lab.fit:train\n"
    Path("lab").mkdir()
    Path("lab/__init__.py").write_text("")
    Path("lab/layers.py").write_text("WIDTH = 1\n")
    (before,) = load(spec, module="lab/fit.py").configs
    Path("lab/layers.py").write_text("WIDTH = 2\n")
    (after,) = load(spec, module="lab/fit.py").configs
    assert before.run_id != after.run_id


def test_files_that_a_trainer_names_are_its_code():
    code = "from trainers.own import trainer\n\n\n@trainer(sources=['rates'])\n" + PLAIN
    Path("rates").mkdir()
    Path("rates/a.json").write_text("1")
    (before,) = load("trainer: mine:train\n", code).configs
    Path("rates/a.json").write_text("2")
    (after,) = load("trainer: mine:train\n", code).configs
    assert before.run_id != after.run_id


def test_what_is_imported_and_does_not_count_is_known(described, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "library")
    for name, text in {
        "library/tool/__init__.py": "import tool.deep",
        "library/tool/deep.py": "",
        "library/single.py": "",
        "library/site-packages/installed.py": "",
        "own/beside.py": "",
        "own/dynamic.py": "",
        "own/__init__.py": "",
    }.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    code = """\
import importlib, sys
import tool, single
sys.path.append("library/site-packages")
import installed
from own import beside
beside = importlib.import_module("own.dynamic")
from trainers.own import trainer


@trainer(sources={sources})
def train(job):
    pass
"""
    spec = "trainer: own.fit:train\n"
    library = [f"{tmp_path}/library/single.py", f"{tmp_path}/library/tool/"]
    own = [f"{tmp_path}/own/{name}.py" for name in ("__init__", "beside", "dynamic")]
    for sources, uncounted in (
        ("[]", library),
        ("['beside.py']", [*library, own[0], own[2]]),
        ("['.', '../library']", []),
    ):
        for _ in range(2):
            found = load(spec, code.replace("{sources}", sources), "own/fit.py").uncounted
            assert found == ({"own.fit:train": tuple(uncounted)} if uncounted else {})
    assert len(described) == 3
    (sentence,) = uncounted_imports({"m:f": [f"/x/{number}.py" for number in range(7)]})
    assert (
        "imports /x/0.py, /x/1.py, /x/2.py, /x/3.py, /x/4.py and 2 more, which do not" in sentence
    )


def test_a_trainer_without_source_is_described_by_the_file_that_it_is_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("source.py").write_text(PLAIN)
    py_compile.compile("source.py", cfile="bare.pyc")
    with zipfile.ZipFile("packed.zip", "w") as archive:
        archive.writestr("packed/__init__.py", PLAIN)
    monkeypatch.syspath_prepend(tmp_path / "packed.zip")
    Path("own.yaml").write_text("grid: {trainer: ['bare:train', 'packed:train']}\n")
    before = load_spec(Path("own.yaml"))
    assert [list(files) for files in before.sources.values()] == [["bare.pyc"], ["packed.zip"]]
    assert all(config.source for config in before.configs)
    with zipfile.ZipFile("packed.zip", "a") as archive:
        archive.writestr("packed/more.py", "")
    after = load_spec(Path("own.yaml"))
    assert after.configs[0] == before.configs[0]
    assert after.configs[1].source != before.configs[1].source


def test_several_trainers_can_be_an_axis():
    Path("other.py").write_text(PLAIN)
    spec = load("options: {x: 1}\ngrid: {trainer: ['mine:train', 'other:train']}\n")
    assert [config.trainer for config in spec.configs] == ["mine:train", "other:train"]


CHANGING = """\
from random import random

from pydantic import BaseModel, Field, computed_field, field_validator

from trainers.own import trainer


class Options(BaseModel):
    percent: float = 50
    key: float = {default}

    @field_validator("percent")
    @classmethod
    def _fraction(cls, percent):
        return {percent}

    @computed_field
    def double(self) -> float:
        return 2 * self.percent


@trainer(options=Options)
def train(job):
    pass
"""


@pytest.mark.parametrize(
    ("default", "percent", "said"),
    [
        ("Field(default_factory=random)", "percent", "key changes from 0."),
        ("0", "percent / 100", "percent changes from 0.5 to 0.005 when they are read a second"),
        ("'none'", "percent", "its defaults cannot be read: ValidationError: 1 validation error"),
        ("None", "1 / 0", "ZeroDivisionError"),
        ("float('nan')", "percent", "they have no JSON form"),
    ],
)
def test_options_that_a_run_would_read_as_others_are_an_error(default, percent, said):
    code = CHANGING.format(default=default, percent=percent)
    error = refused("trainer: mine:train\noptions: {percent: 50}\n", code)
    assert said in str(error)
    assert error.place == Place("own.yaml", 2, 1)


def test_what_a_model_computes_of_its_options_is_no_option():
    code = CHANGING.format(default="0.5", percent="percent")
    (config,) = load("trainer: mine:train\n", code).configs
    assert config.options == {"percent": 50.0, "key": 0.5}


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("options.x", ".nan", PLAIN),
        ("options.x", "9007199254740993", PLAIN),
        ("options.x", f"1{'0' * 400}", PLAIN),
        ("options.deep.rate", ".inf", DECLARED),
    ],
)
def test_numbers_that_json_lacks_are_an_error_at_their_place(name, value, code):
    spec = f"trainer: mine:train\noptions: {{kernel: rbf}}\ngrid: {{{name}: [0.5, {value}]}}\n"
    assert refused(spec, code).place.line == (3 if code == PLAIN else 2)


@pytest.mark.parametrize("value", ["2026-01-01", "!!binary aGk=", "{1: 2}", "!!set {a}"])
def test_options_that_are_no_json_are_an_error_at_their_place(value):
    assert refused(f"trainer: mine:train\noptions: {{x: {value}}}\n").place.line == 2


def test_a_trainer_that_is_as_it_was_is_not_imported_again(described, tmp_path, monkeypatch):
    for name in ("labs", "labs/deep"):
        Path(name).mkdir()
        Path(f"{name}/__init__.py").write_text("")
    Path("labs/deep/layers.py").write_text("WIDTH = 1\n")
    spec = "trainer: labs.fit:train\ngrid: {options.kernel: [rbf, linear]}\n"
    first = load(spec, DECLARED, "labs/fit.py").configs
    assert load(spec, DECLARED, "labs/fit.py").configs == first
    assert described == ["labs.fit:train"]
    # Other options are asked for, of the same code.
    assert load(f"options: {{depth: 3}}\n{spec}", DECLARED, "labs/fit.py").configs != first
    assert described == 2 * ["labs.fit:train"]
    Path("labs/deep/layers.py").write_text("WIDTH = 2\n")
    assert load(spec, DECLARED, "labs/fit.py").configs[0].source != first[0].source
    assert len(described) == 3
    Path("labs/deep/more.py").write_text("")
    assert load(spec, DECLARED, "labs/fit.py").configs[0].source != first[0].source
    assert len(described) == 4


def test_a_trainer_that_nothing_can_be_asked_of_keeps_no_process(described, tmp_path):
    (tmp_path / "plain.py").write_text(PLAIN)
    (tmp_path / "declared.py").write_text(DECLARED)
    with OwnTrainers([tmp_path]) as own:
        assert own["plain:train"].options({"any": 1}) == {"any": 1}
        assert own["declared:train"].options({"kernel": "a"})["depth"] == 2
        assert list(own._processes) == ["declared:train"]
    assert described == ["plain:train", "declared:train"]


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_of_many_trainers_few_processes_live(described, tmp_path, monkeypatch):
    monkeypatch.setattr("sweeper.spec.own_trainers.own_trainer.MOST_PROCESSES", 1)
    before = open_files()
    for name in ("first", "second"):
        (tmp_path / f"{name}.py").write_text(DECLARED)
    with OwnTrainers([tmp_path]) as own:
        for depth, name in ((1, "first"), (2, "second"), (2, "first"), (2, "second")):
            options = own[f"{name}:train"].options({"kernel": "a", "depth": depth})
            assert options["depth"] == depth
            (process,) = own._processes.values()
    assert process._process.returncode == -9
    assert open_files() == before
    assert described == ["first:train", "second:train", "first:train"]


def test_a_process_that_does_not_start_leaves_nothing_open(monkeypatch):
    said = mock.Mock(side_effect=BlockingIOError(11, "Resource temporarily unavailable"))
    monkeypatch.setattr("subprocess.Popen", said)
    Path("never.py").write_text(PLAIN)
    Path("own.yaml").write_text("trainer: never:train\n")
    before = open_files()
    with pytest.raises(ResourceError, match=r"^trainer never:train: no process .*: Resource temp"):
        load_spec(Path("own.yaml"))
    assert open_files() == before
    assert said.called


def test_a_model_that_does_not_come_back_is_an_error_and_ends_its_process(tmp_path, monkeypatch):
    asleep = CHANGING.format(default="0", percent="__import__('time').sleep(60)")
    (tmp_path / "asleep.py").write_text(asleep)
    with OwnTrainers([tmp_path]) as own:
        trainer = own["asleep:train"]
        (process,) = own._processes.values()
        monkeypatch.setattr(sweeper.spec.own_trainers.describing_process, "SECONDS", 0.1)
        with pytest.raises(ConfigError, match=r"looking at its options took over 0\.1 s"):
            trainer.options({"percent": 1})
        assert not own._processes
        assert process._process.returncode == -9


def test_a_helper_that_appears_or_changes_is_seen(described):
    code = "try:\n    from beside import train\nexcept ImportError:\n" + PLAIN.replace(
        "def", "    def"
    ).replace("    pass", "        pass")
    load("trainer: mine:train\n", code)
    Path("beside.py").write_text("def train():\n    pass\n")
    assert "cannot be called with a job alone" in str(refused("trainer: mine:train\n", code))
    Path("beside.py").write_text(PLAIN)
    assert load("trainer: mine:train\n", code).configs
    Path("beside.py").write_text(PLAIN.replace("job", "sweep_job"))
    assert load("trainer: mine:train\n", code).configs
    assert len(described) == 4
    Path("beside.py").unlink()


def test_specs_in_other_folders_share_a_trainer_that_is_in_none_of_them(
    described, tmp_path, monkeypatch
):
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        assert load("trainer: wrong_trainers:train\noptions: {kind: right0}\n").configs
    assert described == ["wrong_trainers:train"]
    Path("wrong_trainers.py").write_text(PLAIN)  # the first one is found first all the same
    assert load("trainer: wrong_trainers:train\noptions: {kind: right0}\n").configs


def test_a_trainer_of_the_same_name_in_another_folder_is_another(tmp_path, monkeypatch):
    # What is found first under the name is no module.
    monkeypatch.syspath_prepend(tmp_path / "earlier")
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "mine.yaml").write_text("")
    (tmp_path / "earlier" / "mine").mkdir()
    sources = set()
    for number, code in enumerate((PLAIN, PLAIN.replace("job", "sweep_job"))):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        sources.add(load("trainer: mine:train\n", code).configs[0].source)
    assert len(sources) == 2
