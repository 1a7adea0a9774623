"""What is suggested for a key that a spec cannot have."""

from __future__ import annotations

import pytest

from sweeper.errors import SpecError
from sweeper.spec.points import CONFIG_KEYS
from sweeper.spec.spec import spec_from_text
from sweeper.spec.suggestions import suggestion

OWN = {
    "trainer": "fit:train",
    "options": {"epochs": 3, "optimizer": {"lr": 0.1}},
    "grid": {"options.alpha": [1, 2]},
}
NETWORK = {"model": "zerosnet", "dataset": "digits", "training": {"epochs": 3}}


@pytest.mark.parametrize(
    ("data", "name", "meant"),
    [
        (OWN, "epochs", "options.epochs"),
        (OWN, "lr", "options.optimizer.lr"),
        (OWN, "optimizer.lr", "options.optimizer.lr"),
        (OWN, "alpha", "options.alpha"),
        (OWN, "rate", "options.rate"),
        (OWN, "rate.first", "options.rate.first"),
        (OWN, "model_size", "options.model_size"),
        (OWN, "option.alpha", "options.alpha"),
        (OWN, "seeds", "seed"),
        (OWN, "", None),
        (OWN, "a..b", None),
        (NETWORK, "epochs", "training.epochs"),
        (NETWORK, "lr", "training.optimizer.lr"),
        (NETWORK, "optimizer", "training.optimizer"),
        (NETWORK, "alpha", "scheme.alpha"),
        (NETWORK, "trainig.epochs", "training.epochs"),
        (NETWORK, "rate", None),
        (OWN | NETWORK, "momentum", "training.optimizer.momentum"),
        (OWN | NETWORK, "alpha", "options.alpha"),
        (OWN | NETWORK, "rate", "options.rate"),
    ],
)
def test_what_the_spec_sets_is_meant_first_then_what_its_trainer_can_have(data, name, meant):
    assert suggestion(name, CONFIG_KEYS, data) == meant


@pytest.mark.parametrize(
    ("addition", "said"),
    [
        ("epochs: 3\n", "unknown key 'epochs'; did you mean 'options.epochs'?"),
        ("options.lr: 0.1\n", "'options.lr'; in a spec it is nested: options: {lr: 0.1}"),
        ("options.net.width: [8]\n", "in a spec it is nested: options: {net: {width: [8]}}"),
        ("option.lr: x\n", "'option.lr'; in a spec it is nested: options: {lr: 'x'}"),
        ("resources: {cpus.more: null}\n", "in a spec it is nested: cpus: {more: null}"),
        ("options..lr: 1\n", "unknown key 'options..lr' (allowed: "),
        ("grid: {alpha: [1, 2]}\n", "'alpha' cannot be an axis; did you mean 'options.alpha'?"),
        ("zip: {alpha: [1, 2]}\n", "'alpha' cannot be an axis; did you mean 'options.alpha'?"),
        ("include: [{alpha: 1}]\n", "'alpha' is not a key of the config; did you mean 'options."),
        ("exclude: [{alpha: 1}]\n", "'alpha' is not a key of the config; did you mean 'options."),
    ],
)
def test_errors_of_a_spec_suggest_the_option(addition, said, tmp_path, monkeypatch):
    (tmp_path / "fit.py").write_text("def train(job):\n    pass\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as caught:
        spec_from_text(f"trainer: fit:train\n{addition}", "fit.yaml")
    assert said in str(caught.value)
