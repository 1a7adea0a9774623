"""Every way to get a spec wrong ends in one message with file, line, column and a way out."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import sweeper.spec
from sweeper import cli
from sweeper.cost import CostModel
from sweeper.errors import RequestError, SpecError
from sweeper.plan import plan_rows
from sweeper.spec import load_spec, spec_from_text

BASE = "model: zerosnet\ndepth: 20\ndataset: digits\n"
"""Three lines, so that what follows begins at line 4."""

THOUSAND = ", ".join(map(str, range(1000)))

# (text, line, column, fragments of the message)
WRONG = {
    "unknown key": (
        BASE + "trainig: {epochs: 2}\n",
        (4, 1),
        ["unknown key 'trainig'", "did you mean 'training'", "allowed: dataset, depth"],
    ),
    "unknown key inside": (
        BASE + "training:\n  epochs: 2\n  optimizer:\n    learning_rate: 0.1\n",
        (7, 5),
        ["unknown key 'learning_rate' in training.optimizer", "lr", "momentum"],
    ),
    "unknown option of a model": (
        "model:\n  name: zerosnet\n  widht: 8\ndepth: 20\ndataset: digits\n",
        (3, 3),
        ["unknown key 'widht' in model; did you mean 'width'", "start_blocks"],
    ),
    "misspelt model": (
        "depth: 20\nmodel: zerosnt\ndataset: digits\n",
        (2, 1),
        ["unknown model 'zerosnt'", "did you mean 'zerosnet'", "preresnet"],
    ),
    "misspelt model with a scheme": (
        "depth: 20\nmodel: zerosnt\nscheme: {lambda: 1}\ndataset: digits\n",
        (2, 1),
        ["unknown model 'zerosnt'", "did you mean 'zerosnet'"],
    ),
    "misspelt model on an axis": (
        BASE + "grid:\n  model: [preresnet,\n    zerosnt]\n",
        (6, 5),
        ["unknown model 'zerosnt'"],
    ),
    "misspelt model in a mapping": (
        "dataset: digits\nmodel:\n  depth: 20\n  name: zerosnt\n",
        (4, 3),
        ["unknown model 'zerosnt'"],
    ),
    "no model": ("depth: 20\ndataset: digits\n", (1, 1), ["names no model", "model: zerosnet"]),
    "no dataset": ("model: zerosnet\ndepth: 20\n", (1, 1), ["names no dataset", "cifar10"]),
    "no depth": ("dataset: digits\nmodel: zerosnet\n", (2, 1), ["depth is missing"]),
    "a model without a name": (
        "dataset: digits\nmodel: {depth: 20, width: 8}\n",
        (2, 1),
        ["is not a model", "known: lm_resnet"],
    ),
    "a number for a model": ("dataset: digits\nmodel: 5\n", (2, 1), ["5 is not a model"]),
    "a list for a model": (
        "depth: 20\nmodel: [zerosnet, preresnet]\ndataset: digits\n",
        (2, 1),
        ["is not a model", "grid: {model: [...]}"],
    ),
    "a number for a model's name": (
        "dataset: digits\nmodel: {depth: 20, name: 3}\n",
        (2, 20),
        ["3 is not a model"],
    ),
    "misspelt dataset": (
        "model: zerosnet\ndepth: 20\ndataset: digts\n",
        (3, 1),
        ["unknown dataset 'digts'", "did you mean 'digits'", "cifar10"],
    ),
    "depth not 6n+2": (
        "model: zerosnet\ndepth: 33\ndataset: digits\n",
        (2, 1),
        ["depth 33 is not 6n + 2", "32 and 38"],
    ),
    "depth not 6n+2 on an axis": (
        BASE + "grid:\n  seed: [0, 1]\n  depth: [20, 32, 33]\n",
        (6, 19),
        ["depth 33 is not 6n + 2"],
    ),
    "depth as text": (
        "model: zerosnet\ndepth: '20'\ndataset: digits\n",
        (2, 1),
        ["depth: '20' is not allowed", "integer"],
    ),
    "absurd depth": (
        "model: zerosnet\ndepth: 6000000002\ndataset: digits\n",
        (2, 1),
        ["depth 6000000002 is more than the 100,000 layers"],
    ),
    "more start blocks than blocks": (
        "model: zerosnet\ndepth: 8\ndataset: digits\nscheme: {alpha: [1, 2, 3, 4], beta: 1}\n",
        (2, 1),
        ["no block would use the scheme", "depth 14 or more"],
    ),
    "lambda 0": (
        BASE + "grid:\n  scheme:\n    - {lambda: 10}\n    - {lambda: 0}\n",
        (7, 8),
        ["lambda must not be 0", "eq. 10"],
    ),
    "unknown form of scheme": (
        BASE + "scheme: {lamda: 10}\n",
        (4, 1),
        ["['lamda'] do not make a scheme", "{lambda: ...}"],
    ),
    "a scheme without coefficients": (BASE + "scheme: {alpha: []}\n", (4, 10), ["alpha is empty"]),
    "a scheme that is no mapping": (BASE + "scheme: 3\n", (4, 1), ["3 is not a scheme"]),
    "a scheme as a config keeps it": (
        BASE + "scheme: {learned: k}\n",
        (4, 10),
        ["trainable: true"],
    ),
    "a coefficient out of range": (
        BASE + f"scheme: {{alpha: [1{'0' * 400}], beta: 1}}\n",
        (4, 1),
        ["64-bit"],
    ),
    "empty axis": (BASE + "grid:\n  seed: []\n", (5, 3), ["axis 'seed' is empty", "remove it"]),
    "an axis that is no list": (
        BASE + "grid:\n  depth: 20\n",
        (5, 3),
        ["grid.depth: 20 is not allowed", "list"],
    ),
    "unknown axis": (
        BASE + "grid:\n  sceme: [1]\n",
        (5, 3),
        ["'sceme' cannot be an axis", "did you mean 'scheme'"],
    ),
    "misspelt path of an axis": (
        BASE + "training: {epochs: 3}\ngrid:\n  training.optimzer.lr: [0.1]\n",
        (6, 26),
        ["unknown key 'optimzer' in training", "did you mean 'optimizer'"],
    ),
    "an axis inside a plain value": (
        BASE + "grid:\n  precision.x: [1]\nprecision: fp32\n",
        (5, 17),
        ["precision is 'fp32', without keys"],
    ),
    "duplicate key": (
        BASE + "seed: 1\ndepth: 32\n",
        (5, 1),
        ["duplicate key 'depth'", "already on line 2", "keep one"],
    ),
    "duplicate value in an axis": (
        BASE + "grid:\n  seed: [0, 1,\n   0]\n",
        (6, 4),
        ["0 is twice in axis 'seed'"],
    ),
    "duplicate scheme in an axis": (
        BASE + "grid:\n  scheme:\n    - {alpha: [1], beta: 1}\n    - {beta: 1, alpha: [1]}\n",
        (7, 7),
        ["is twice in axis 'scheme'"],
    ),
    "axis varied twice": (
        BASE + "grid:\n  depth: [20]\nzip:\n  seed: [1]\n  depth: [32]\n",
        (8, 3),
        ["axis 'depth' is already varied at", ":5:3", "keep one"],
    ),
    "axis varied twice under two names": (
        BASE + "grid:\n  depth: [20]\n  model.depth: [32]\n",
        (6, 3),
        ["axis 'model.depth' is already varied"],
    ),
    "zip of unequal lengths": (
        BASE + "zip:\n  depth: [20, 32]\n  seed: [1]\n",
        (4, 1),
        ["equal lengths", "'depth': 2", "'seed': 1"],
    ),
    "second group of zip of unequal lengths": (
        BASE + "zip:\n  - {depth: [20]}\n  - {seed: [1], precision: []}\n",
        (6, 17),
        ["axis 'precision' is empty"],
    ),
    "zip that is no mapping": (BASE + "zip: 3\n", (4, 1), ["zip: 3 is not allowed", "mapping"]),
    "an axis of zip that is no list": (
        BASE + "zip:\n  seed: [1]\n  depth: 3\n",
        (6, 3),
        ["zip.depth: 3 is not allowed", "list"],
    ),
    "an axis of a group of zip that is no list": (
        BASE + "zip:\n  - seed: [1]\n  - depth: 3\n",
        (6, 5),
        ["zip.1.depth: 3 is not allowed", "list"],
    ),
    "too many points": (
        BASE + f"seed: 0\ngrid:\n  seed: [{THOUSAND}]\n  training.epochs: [{THOUSAND}]\n"
        f"  training.batch_size: [{THOUSAND}]\n",
        (5, 1),
        ["1,000,000,000 points", "1000 seed x 1000 training.epochs", "250,000"],
    ),
    "include with an unknown key": (
        BASE + "include:\n  - {seed: 1}\n  - {seed: 2, sceme: {k: 1}}\n",
        (6, 15),
        ["'sceme' is not a key of the config", "did you mean 'scheme'"],
    ),
    "include with a bad value": (
        BASE + "include:\n  - {seed: 1}\n  - {seed: -2}\n",
        (6, 6),
        ["seed: -2 is not allowed"],
    ),
    "an included point that is no mapping": (
        BASE + "include: [3]\n",
        (4, 11),
        ["include.0: 3 is not allowed", "mapping"],
    ),
    "exclude that matches nothing": (
        BASE + "grid:\n  seed: [0, 1]\nexclude:\n  - {seed: 1}\n  - {seed: 2}\n",
        (8, 5),
        ["{'seed': 2} matches no point", "remove it"],
    ),
    "exclude with an unknown key": (
        BASE + "exclude:\n  - {sed: 1}\n",
        (5, 6),
        ["'sed' is not a key of the config", "did you mean 'seed'"],
    ),
    "exclude with an unknown key inside": (
        BASE + "exclude:\n  - {seed: 0, training.epoch: 2}\n",
        (5, 15),
        ["unknown key 'epoch' in training", "did you mean 'epochs'"],
    ),
    "exclude with an impossible value": (
        BASE + "exclude:\n  - {precision: fp61}\n",
        (5, 6),
        ["'fp61' is not allowed", "'bf16'"],
    ),
    "empty exclude": (BASE + "exclude:\n  - {}\n", (5, 5), ["would exclude every run"]),
    "everything excluded": (
        BASE + "grid:\n  seed: [0, 1]\nexclude:\n  - {seed: [0, 1]}\n",
        (6, 1),
        ["leaves no run over"],
    ),
    "unknown noise": (
        BASE + "evaluations:\n  - {noise: gausian, std: 0.1}\n",
        (5, 6),
        ["unknown evaluation 'gausian'", "did you mean 'gaussian'", "uniform"],
    ),
    "noise that is no text": (
        BASE + "evaluations:\n  - {std: 0.1, noise: [1]}\n",
        (5, 16),
        ["noise: [1] is not allowed"],
    ),
    "evaluation without its number": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 0.1}\n  - {noise: gaussian}\n",
        (6, 5),
        ["std is missing"],
    ),
    "evaluation with an unknown key": (
        BASE + "evaluations:\n  - {noise: gaussian, std: 0.1, sed: 2}\n",
        (5, 33),
        ["unknown key 'sed'; did you mean 'seed'", "allowed: noise, seed, std"],
    ),
    "evaluation with a bad number": (
        BASE + "evaluations:\n  - {noise: uniform, low: 0, high: 2}\n",
        (5, 30),
        ["high: 2 is not allowed", "less than or equal to 1"],
    ),
    "evaluation with its bounds swapped": (
        BASE + "evaluations:\n  - noise: uniform\n    low: 0.5\n    high: 0.1\n",
        (6, 5),
        ["low (0.5) must be below high (0.1)"],
    ),
    "duplicate evaluation": (
        BASE + "evaluations:\n  - {noise: constant, mu: 0.5}\n  - {noise: constant, value: 1/2}\n",
        (6, 5),
        ["constant[0.5] is listed twice", "keep one"],
    ),
    "an evaluation that is no mapping": (
        BASE + "evaluations: [gaussian]\n",
        (4, 15),
        ["evaluations.0: 'gaussian' is not allowed", "mapping"],
    ),
    "evaluations that are no list": (
        BASE + "evaluations: {noise: gaussian}\n",
        (4, 1),
        ["is not allowed", "list"],
    ),
    "negative resources": (
        BASE + "resources:\n  cpus: 1\n  gpus: -0.5\n",
        (6, 3),
        ["resources.gpus: -0.5 is not allowed", "greater than or equal to 0"],
    ),
    "no core at all": (BASE + "resources: {cpus: 0}\n", (4, 13), ["greater than 0"]),
    "unknown resource": (
        BASE + "resources: {gpu: 1}\n",
        (4, 13),
        ["unknown key 'gpu' in resources; did you mean 'gpus'"],
    ),
    "resources that are no mapping": (
        BASE + "resources: 2\n",
        (4, 1),
        ["resources: 2 is not allowed: input should be a mapping"],
    ),
    "name with a slash": (
        BASE + "name: a/b\n",
        (4, 1),
        ["'a/b' is not a name for a sweep", "letters, digits"],
    ),
    "name that leads out": (BASE + "name: ../x\n", (4, 1), ["'../x' is not a name"]),
    "empty name": (BASE + "name: ''\n", (4, 1), ["'' is not a name"]),
    "name that is a date": (BASE + "name: 2020-01-01\n", (4, 7), ["is a date", "quotes"]),
    "name that is a number": (BASE + "name: 3\n", (4, 1), ["name: 3 is not allowed", "string"]),
    "epochs as a fraction": (
        BASE + "training: {epochs: 1/2}\n",
        (4, 12),
        ["training.epochs: '1/2' is not allowed"],
    ),
    "rate divided by zero": (
        BASE + "training:\n  optimizer:\n    lr: 1/0\n",
        (6, 5),
        ["training.optimizer.lr: '1/0' divides by zero"],
    ),
    "infinite rate": (
        BASE + "training: {optimizer: {lr: .inf}}\n",
        (4, 24),
        ["training.optimizer.lr: inf is not allowed", "finite"],
    ),
    "a number with no canonical form": (
        BASE + "training:\n  epochs: 2\n  batch_size: 100000000000000000000\n",
        (6, 3),
        ["training.batch_size: 100000000000000000000 is not allowed", "2**53"],
    ),
    "unknown optimizer": (
        BASE + "training: {optimizer: {name: adam}}\n",
        (4, 24),
        ["training.optimizer.name: 'adam' is not allowed", "'sgd'"],
    ),
    "an optimizer that is no mapping": (
        BASE + "training: {optimizer: sgd}\n",
        (4, 12),
        ["training.optimizer: 'sgd' is not allowed: input should be a mapping"],
    ),
    "milestones that go back": (
        BASE + "training: {epochs: 10, lr_schedule: {milestones: [3/4, 1/2]}}\n",
        (4, 1),
        ["milestones [7, 5] (in epochs) do not ascend"],
    ),
    "nesterov without momentum": (
        BASE + "training:\n  optimizer: {momentum: 0, nesterov: true}\n",
        (5, 28),
        ["nesterov needs a momentum above 0"],
    ),
    "subset beyond the dataset": (
        "model: zerosnet\ndepth: 20\ndataset:\n  name: digits\n  subset: 5000\n",
        (5, 3),
        ["subset 5000 exceeds digits's 1297 images"],
    ),
    "subset beyond the dataset on an axis": (
        BASE + "grid:\n  dataset.subset: [10, 5000]\n",
        (5, 24),
        ["subset 5000 exceeds digits's 1297 images"],
    ),
    "precision": (BASE + "precision: fp61\n", (4, 1), ["'fp61' is not allowed", "'fp32'"]),
    "trainer": (BASE + "trainer: mine\n", (4, 1), ["trainer: 'mine' is not allowed"]),
    "python object": (
        BASE + "seed: !!python/object/apply:os.system ['true']\n",
        (4, 7),
        ["python/object/apply:os.system is not allowed"],
    ),
    "alias bomb": (
        "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(
            f"{key}: &{key} [{','.join(['*' + last] * 10)}]\n"
            for last, key in zip("abcdefghi", "bcdefghij", strict=True)
        ),
        (6, 1),
        ["200,000 values once its aliases are expanded"],
    ),
    "recursive alias": (BASE + "seed: &s [*s]\n", (4, 7), ["inside its own anchor"]),
    "too deep": (
        BASE + "seed: " + "[" * 60 + "]" * 60 + "\n",
        (4, 47),
        ["nested too deeply"],
    ),
    "too deep for python": (BASE + "seed: " + "[" * 1000, (4, 46), ["nested too deeply"]),
    "not a mapping": ("- model: zerosnet\n", (1, 1), ["a spec is a mapping"]),
    "empty file": ("", (1, 1), ["a spec is a mapping", "model: zerosnet"]),
    "not YAML": (BASE + "grid: {depth: [20\n", (5, 1), ["not valid YAML"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_the_message_has_place_value_and_a_way_out(case, tmp_path, monkeypatch, capsys):
    text, (line, column), fragments = WRONG[case]
    path, home = tmp_path / "wrong.yaml", tmp_path / "home"
    path.write_text(text)
    arguments = ["sweep", "run", str(path), "--executor", "inline", "--home", str(home)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {path}:{line}:{column}: "), err
    assert err.count("\n") == 1
    assert len(err) < len(str(path)) + 450
    for fragment in fragments:
        assert fragment in err
    assert not home.exists()


def test_an_enormous_grid_is_refused_before_any_point_is_made(monkeypatch):
    def resolve(*_):
        raise AssertionError("a point was resolved")

    monkeypatch.setattr(sweeper.spec, "resolve", resolve)
    with pytest.raises(AssertionError):
        spec_from_text(BASE, "s.yaml")
    with pytest.raises(SpecError, match="1,000,000,000 points"):
        spec_from_text(WRONG["too many points"][0], "s.yaml")


def test_a_long_value_is_cut_in_a_message():
    with pytest.raises(SpecError) as caught:
        spec_from_text(BASE + f"precision: {'x' * 5000}\n", "s.yaml")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("case", ["depth not 6n+2", "unknown key", "not YAML", "python object"])
def test_the_command_line_says_one_line_and_writes_nothing(case, tmp_path):
    text, (line, column), fragments = WRONG[case]
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    done = _sweep("run", str(path), folder=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {path}:{line}:{column}: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert all(fragment in done.stderr for fragment in fragments)
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_line_names_the_specs_beside_a_missing_one(tmp_path):
    (tmp_path / "table3.yaml").write_text(BASE)
    done = _sweep("plan", "tabel3.yaml", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == ("error: tabel3.yaml: there is no such file; specs there: table3.yaml\n")
    assert len(list(tmp_path.iterdir())) == 1


def _sweep(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("sweep")), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"model: \xe9\n", b"\x00", b"a: b: c\n", b"%YAML 9.9\n---\na: 1\n"]
)
def test_bytes_that_are_no_spec(content, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{path}:")


_WORDS = """
model depth scheme seed dataset training precision trainer grid zip include exclude
evaluations resources name epochs batch_size optimizer lr momentum lr_schedule milestones
gamma subset width start_blocks stage_change alpha beta lambda k trainable learned start
noise std low high mu value cpus gpus zerosnet lm_resnet digits fp32 sgd step gaussian
uniform 5/9 1/0 -9/5 training.epochs model.width dataset.subset model.depth depth.x . <<
"""
WORDS = st.sampled_from(_WORDS.split())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 60),
    st.integers(),
    st.sampled_from([20, 32, 2**53, 10**20, 10**400, -(10**400)]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1e-320, 1e308, math.inf, math.nan]),
    WORDS,
    st.text(max_size=5),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
_TOP = """
model depth scheme seed dataset training precision trainer name description published grid
zip include exclude evaluations resources
"""
PLACES = st.sampled_from(
    [(key,) for key in _TOP.split()]
    + [
        ("training", "optimizer"),
        ("training", "optimizer", "lr"),
        ("training", "epochs"),
        ("training", "batch_size"),
        ("training", "lr_schedule"),
        ("training", "lr_schedule", "milestones"),
        ("dataset", "subset"),
        ("dataset", "crop_padding"),
        ("model", "width"),
        ("model", "start_blocks"),
        ("scheme", "alpha"),
        ("scheme", "lambda"),
        ("scheme", "k"),
        ("grid", "depth"),
        ("grid", "scheme"),
        ("grid", "model"),
        ("grid", "training.optimizer.lr"),
        ("zip", "seed"),
        ("include", 0),
        ("include", 0, "scheme"),
        ("include", 0, "model"),
        ("exclude", 0),
        ("exclude", 0, "scheme"),
        ("exclude", 0, "model"),
        ("evaluations", 0),
        ("evaluations", 0, "std"),
        ("evaluations", 0, "noise"),
        ("resources", "cpus"),
    ]
)


def yaml(value) -> str:
    """The value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)}: {yaml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(yaml, value)) + "]"
    if isinstance(value, float):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(repr(value), repr(value))
    if isinstance(value, str) and value.isidentifier() and value.isascii():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return json.dumps(value)


def placed(path, value):
    """A spec that is right but for `value` at `path`, and the mappings that surround it."""
    data: dict = {
        "model": {"name": "zerosnet", "depth": 20},
        "dataset": {"name": "digits"},
        "training": {"epochs": 2, "optimizer": {"lr": 0.1}, "lr_schedule": {"gamma": 0.1}},
        "evaluations": [{"noise": "gaussian", "std": 0.1}],
    }
    here = data
    for key, following in zip(path, (*path[1:], None), strict=True):
        if following is None:
            here[key] = value
        elif isinstance(here, list):
            here = here[0]
        else:
            here = here.setdefault(key, [{}] if following == 0 else {})
    return yaml(data) + "\n"


def never_a_traceback(text, overrides=()):
    try:
        spec = spec_from_text(text, "s.yaml", overrides)
    except RequestError as error:
        refused = error
    else:
        refused = None
    if refused is not None:
        assert refused.exit_code == 2
        assert str(refused).startswith(("s.yaml:", "--set "))
        assert "validation error" not in str(refused)
        assert "Assertion" not in str(refused)
        return
    # What is accepted can be planned, and identified.
    for row in plan_rows(spec, {}, CostModel({}))[:5]:
        assert math.isfinite(row["estimated_seconds"])


@settings(max_examples=250, deadline=None)
@given(PLACES, VALUES)
@example(("scheme",), {"learned": "k"})
@example(("scheme",), {"learned": None, "alpha": None})
@example(("scheme", "lambda"), 1e-320)
@example(("model",), 5)
@example(("training", "batch_size"), 2**53)
@example(("scheme", "alpha"), None)
@example(("training", "lr_schedule", "milestones"), [1e20])
@example(("exclude", 0, "scheme"), {"k": 10**400})
def test_random_values_in_random_places_never_give_a_traceback(path, value):
    never_a_traceback(placed(path, value))


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(WORDS | st.text(max_size=4), VALUES, max_size=6))
def test_random_specs_never_give_a_traceback(data):
    never_a_traceback(yaml(data) + "\n")


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60) | st.lists(st.sampled_from("a:-[]{}&*!|>%@#,? \n\t'\"1")).map("".join))
def test_random_text_never_gives_a_traceback(text):
    never_a_traceback(text)


@settings(max_examples=150, deadline=None)
@given(PLACES, VALUES, st.sampled_from(["{path}={value}", "grid.{path}=[{value}]", "{value}"]))
def test_random_overrides_never_give_a_traceback(path, value, form):
    override = form.format(path=".".join(map(str, path)), value=yaml(value))
    never_a_traceback(BASE + "grid: {seed: [0, 1]}\n", (override,))
