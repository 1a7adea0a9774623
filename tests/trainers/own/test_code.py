"""Whether this process has the code that a sweep was planned with."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

import fake_trainers
from sweep_plugins import PluginError, UnknownNameError
from trainers.data.datasets import DATASETS
from trainers.errors import TrainerError
from trainers.own.code import code_of_trainer, require_code
from trainers.own.declaration import trainer
from trainers.own.loading import load_trainer


def test_the_same_code_is_no_problem():
    code = code_of_trainer("fake_trainers:quick", fake_trainers.quick)
    assert code is not None
    require_code({"trainer fake_trainers:quick": code.sha256})
    require_code({})


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("trainer fake_trainers:quick", r"\w{12}, in /\S+/support"),
        ("trainer trainers.train:train", "of sweep itself"),
        ("model zerosnet", "of sweep itself"),
    ],
)
def test_other_code_is_named_with_both_digests(name, here):
    with pytest.raises(TrainerError) as caught:
        require_code({name: "a" * 64})
    expected = rf"the code of {name} on {socket.gethostname()} \({here}\) is not what .*\(a{{12}}\)"
    assert caught.match(expected)


def test_a_plugin_that_is_not_there_is_an_unknown_name():
    for name in ("model theirs", "dataset theirs", "probe theirs", "evaluation theirs"):
        with pytest.raises(UnknownNameError, match="theirs"):
            require_code({name: "a" * 64})


def test_what_another_module_has_made_is_of_the_module_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "made_elsewhere.py").write_text(
        "def timed(function):\n    def wrapper(job):\n        return function(job)\n\n"
        "    return wrapper\n"
    )
    (tmp_path / "names_it.py").write_text(
        "from functools import partial\n\nfrom made_elsewhere import timed\n\n\n"
        "def train(job, depth=1): ...\n\n\n"
        "small, wrapped = partial(train, depth=2), timed(train)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("train", "small", "wrapped"):
        code = code_of_trainer(f"names_it:{name}", load_trainer(f"names_it:{name}"))
        assert code is not None
        assert list(code.files) == ["made_elsewhere.py", "names_it.py"]
    code = code_of_trainer("names_it:timed", load_trainer("names_it:timed"))
    assert code is not None
    assert list(code.files) == ["made_elsewhere.py"]


def test_files_that_are_named_and_not_there_are_an_error(monkeypatch):
    @trainer(sources=["no such"])
    def train(job): ...

    with pytest.raises(TrainerError, match=r"^the trainer in .*: sources has 'no such', and there"):
        code_of_trainer(f"{__name__}:train", train)
    point = type("Point", (), {"name": "mine", "module": __name__, "group": "", "value": ""})()
    point.dist = type("Distribution", (), {"name": "lab", "version": "1"})()
    mine = replace(DATASETS.shipped("digits"), sources=("no such",))
    monkeypatch.setattr(DATASETS, "_points", lambda: [point])
    monkeypatch.setitem(DATASETS._known, "mine", mine)
    with pytest.raises(
        PluginError, match=r"^plug-in lab 1 .*: sources has 'no such', and there is"
    ):
        DATASETS.code("mine")
