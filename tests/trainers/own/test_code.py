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


def test_the_same_code_is_no_problem():
    code = code_of_trainer(fake_trainers.quick)
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


def test_files_that_are_named_and_not_there_are_an_error(monkeypatch):
    @trainer(sources=["no such"])
    def train(job): ...

    with pytest.raises(TrainerError, match=r"^the trainer in .*: sources has 'no such', and there"):
        code_of_trainer(train)
    point = type("Point", (), {"name": "mine", "module": __name__, "group": "", "value": ""})()
    point.dist = type("Distribution", (), {"name": "lab", "version": "1"})()
    mine = replace(DATASETS.shipped("digits"), sources=("no such",))
    monkeypatch.setattr(DATASETS, "_points", lambda: [point])
    monkeypatch.setitem(DATASETS._known, "mine", mine)
    with pytest.raises(
        PluginError, match=r"^plug-in lab 1 .*: sources has 'no such', and there is"
    ):
        DATASETS.code("mine")
