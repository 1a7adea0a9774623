import hashlib
import json
import math
import pkgutil
from typing import ClassVar, Literal

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from sweep_plugins import UnknownNameError
from trainers.config.canonical import identity_of_json
from trainers.config.evaluations import (
    EVALUATIONS,
    ConstantNoise,
    Evaluation,
    EvaluationConfig,
    FastGradientSign,
    GaussianNoise,
    ProjectedGradientDescent,
    UniformNoise,
    parse_evaluation,
    stored_evaluation,
)

SEEDS = st.integers(0, 2**32 - 1)
LEVELS = st.one_of(
    st.floats(-1, 1),
    st.sampled_from([-0.08, 0.0, -0.0, 0, 1, -1, 0.1, 0.1 + 1e-12, "1/10", "-1/3"]),
)

RADII = st.one_of(
    st.floats(1e-6, 1),
    st.sampled_from([1e-6, 0.1, 0.3, 1, "1/255", "2/255", "4/255", "8/255", 8 / 255, 0.031]),
)


def number(level):
    """What a level in LEVELS stands for."""
    if isinstance(level, str):
        above, below = level.split("/")
        return int(above) / int(below)
    return level


@st.composite
def uniform_data(draw):
    low, high = sorted((draw(LEVELS), draw(LEVELS)), key=number)
    if number(low) == number(high):
        low, high = -1, 0.5
    return {"noise": "uniform", "low": low, "high": high, "seed": draw(SEEDS)}


DATA = st.one_of(
    uniform_data(),
    st.fixed_dictionaries(
        {"noise": st.just("gaussian"), "std": st.floats(1e-9, 9) | st.just("1/50")},
        optional={"seed": SEEDS},
    ),
    st.fixed_dictionaries({"noise": st.just("constant"), "value": LEVELS}),
    st.fixed_dictionaries({"noise": st.just("constant"), "mu": LEVELS}),
    st.fixed_dictionaries({"attack": st.just("fgsm"), "epsilon": RADII}),
    st.fixed_dictionaries(
        {"attack": st.just("pgd"), "epsilon": RADII},
        optional={"step": RADII, "steps": st.integers(1, 10_000), "random_start": st.booleans()},
    ),
    st.fixed_dictionaries(
        {"attack": st.just("pgd"), "epsilon": RADII},
        optional={"step": RADII, "restarts": st.integers(1, 1_000), "seed": SEEDS},
    ),
)


@pytest.mark.parametrize(
    ("data", "name", "level", "evaluation_id"),
    [
        (
            {"noise": "uniform", "low": -0.08, "high": 0},
            "uniform[-0.08,0]",
            -0.08,
            "f4a2c6de4d9bac98",
        ),
        (
            {"noise": "uniform", "low": "-1/10", "high": "1/10"},
            "uniform[-0.1,0.1]",
            0.1,
            "fe0ce540049b0544",
        ),
        (
            {"noise": "uniform", "low": 0, "high": 0.1, "seed": 2},
            "uniform[0,0.1;seed=2]",
            0.1,
            "3f631f2b8f74aa4d",
        ),
        ({"noise": "gaussian", "std": 0.02}, "gaussian[0.02]", 0.02, "be09dbfaa74affe4"),
        (
            {"noise": "gaussian", "std": "1/50", "seed": 0},
            "gaussian[0.02;seed=0]",
            0.02,
            "962229f64a1c7dbf",
        ),
        ({"noise": "constant", "value": 0.3}, "constant[0.3]", 0.3, "9fe0606ef883bd2c"),
        ({"noise": "constant", "mu": -1}, "constant[-1]", -1.0, "7c2982fce780ec2f"),
        ({"attack": "fgsm", "epsilon": "8/255"}, "fgsm[8/255]", 8 / 255, "c7e50d38b7695b5f"),
        ({"attack": "fgsm", "epsilon": 0.1}, "fgsm[0.1]", 0.1, "6ec6f719cd5e60d8"),
        ({"attack": "pgd", "epsilon": "8/255"}, "pgd[8/255]", 8 / 255, "9248b008bd956366"),
        (
            {"attack": "pgd", "epsilon": 0.3, "step": 0.01, "steps": 40},
            "pgd[0.3,40x0.01]",
            0.3,
            "9413de67378c437e",
        ),
        (
            {
                "attack": "pgd",
                "epsilon": "8/255",
                "step": "1/255",
                "steps": 20,
                "restarts": 5,
                "seed": 2,
            },
            "pgd[8/255,20x1/255,5 restarts;seed=2]",
            8 / 255,
            "1d80beab858d1482",
        ),
        (
            {"attack": "pgd", "epsilon": 0.1, "random_start": False},
            "pgd[0.1,no random start]",
            0.1,
            "bc3c98f8ff29b595",
        ),
    ],
)
def test_evaluation_names_levels_and_ids_are_pinned(data, name, level, evaluation_id):
    # Stored results are found by these.
    evaluation = parse_evaluation(data)
    assert evaluation.name == name
    assert evaluation.kind == (data.get("noise") or data["attack"])
    assert evaluation.level == level
    assert evaluation.evaluation_id == evaluation_id


def test_evaluation_id_is_the_hash_of_the_canonical_config():
    evaluation = parse_evaluation({"noise": "uniform", "low": -0.08, "high": 0})
    canonical = b'{"high":0,"low":-0.08,"noise":"uniform","seed":1}'
    assert rfc8785.dumps(evaluation.config) == canonical
    assert evaluation.evaluation_id == hashlib.sha256(canonical).hexdigest()[:16]


def test_constant_noise_has_no_seed():
    assert parse_evaluation({"noise": "constant", "mu": 0.5}).config == {
        "noise": "constant",
        "value": 0.5,
    }


def test_equal_evaluation_settings_have_one_id_however_written():
    one = parse_evaluation({"noise": "uniform", "low": "-1/10", "high": -0.0})
    other = UniformNoise(low=-0.1, high=0, seed=1)
    assert one == other
    assert one.name == other.name == "uniform[-0.1,0]"
    assert one.evaluation_id == other.evaluation_id


def test_defaults_of_an_attack_are_written_out():
    short = parse_evaluation({"attack": "pgd", "epsilon": "8/255"})
    full = {"step": "2/255", "steps": 10, "restarts": 1, "random_start": True, "seed": 1}
    assert parse_evaluation({"attack": "pgd", "epsilon": 8 / 255, **full}) == short
    assert short.config == {"attack": "pgd", "epsilon": 8 / 255, **full, "step": 2 / 255}


@given(RADII, st.integers(1, 10_000))
def test_default_pgd_steps_can_cross_the_epsilon_ball(epsilon, steps):
    attack = ProjectedGradientDescent(epsilon=epsilon, steps=steps)
    assert 0 < attack.step <= 1
    assert attack.steps * attack.step >= min(1, 2 * attack.epsilon)


def test_passes_counts_the_forward_passes_of_an_evaluation():
    assert GaussianNoise(std=0.1).passes == 1
    assert FastGradientSign(epsilon=0.1).passes == 4
    # Gradients; five starts to compare; the last pass.
    assert ProjectedGradientDescent(epsilon=0.1, steps=20).passes == 61
    assert ProjectedGradientDescent(epsilon=0.1, steps=20, restarts=5).passes == 306


def test_evaluation_names_have_all_significant_digits():
    assert GaussianNoise(std=0.02).name == "gaussian[0.02]"
    assert GaussianNoise(std=0.020000001).name == "gaussian[0.020000001]"


@given(DATA, DATA)
def test_different_evaluations_have_different_names_and_ids(first, second):
    one, other = parse_evaluation(first), parse_evaluation(second)
    same = one.config == other.config
    assert (one.name == other.name) == same
    assert (one.evaluation_id == other.evaluation_id) == same


@given(DATA)
def test_evaluation_configs_round_trip_through_json(data):
    evaluation = parse_evaluation(data)
    again = parse_evaluation(json.loads(json.dumps(evaluation.config)))
    assert again == evaluation
    assert type(again) is type(evaluation)
    assert again.evaluation_id == evaluation.evaluation_id
    assert math.isfinite(evaluation.level)


class Blur(EvaluationConfig):
    noise: Literal["blur"] = "blur"
    name: ClassVar[str] = "blur"
    level: ClassVar[float] = 1.0


def test_the_code_of_a_plugin_is_part_of_its_evaluations_identity(monkeypatch):
    monkeypatch.setitem(EVALUATIONS._known, "blur", Evaluation(Blur, "lab:blur"))
    plain = parse_evaluation({"noise": "blur"})
    assert plain.config == {"noise": "blur"}
    one, other = (plain.with_source(digit * 64) for digit in "ab")
    assert plain.source is None
    assert one.config == {"noise": "blur", "plugin_source": "a" * 64}
    assert len({plain.evaluation_id, one.evaluation_id, other.evaluation_id}) == 3
    assert one.evaluation_id == identity_of_json(one.config)
    assert one != other
    for each in (plain, one, other):
        again = stored_evaluation(json.loads(json.dumps(each.config)))
        assert again == each
        assert again.evaluation_id == each.evaluation_id
    assert one.with_source(None) == plain
    with pytest.raises(ValueError, match="plugin_source: 'x' is no SHA-256"):
        stored_evaluation({"noise": "blur", "plugin_source": "x"})
    with pytest.raises(ValueError, match="evaluation gaussian is of no plug-in"):
        stored_evaluation({"noise": "gaussian", "std": 0.1, "plugin_source": "a" * 64})
    with pytest.raises(ValueError, match="plugin_source"):
        parse_evaluation(one.config)


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ({}, "noise"),
        ({"noise": 3}, "noise"),
        ({"noise": "uniform", "low": 0}, "high"),
        ({"noise": "uniform", "low": 0, "high": 0}, "low"),
        ({"noise": "uniform", "low": 0.1, "high": -0.1}, "low"),
        ({"noise": "uniform", "low": -1.1, "high": 0}, "low"),
        ({"noise": "uniform", "low": 0, "high": math.inf}, "high"),
        ({"noise": "uniform", "low": math.nan, "high": 0}, "low"),
        ({"noise": "uniform", "low": 0, "high": 0.1, "std": 1}, "std"),
        ({"noise": "uniform", "low": 0, "high": 0.1, "seed": -1}, "seed"),
        ({"noise": "uniform", "low": 0, "high": 0.1, "seed": 2**32}, "seed"),
        ({"noise": "uniform", "low": 0, "high": 0.1, "seed": True}, "seed"),
        ({"noise": "uniform", "low": 0, "high": True}, "high"),
        ({"noise": "gaussian"}, "std"),
        ({"noise": "gaussian", "std": 0}, "std"),
        ({"noise": "gaussian", "std": -0.1}, "std"),
        ({"noise": "gaussian", "std": math.inf}, "std"),
        ({"noise": "gaussian", "std": "1/0"}, "std"),
        ({"noise": "gaussian", "std": 0.1, "seed": "1"}, "seed"),
        ({"noise": "constant"}, "value"),
        ({"noise": "constant", "value": 1.01}, "value"),
        ({"noise": "constant", "value": 0.1, "seed": 1}, "seed"),
        ({"noise": "constant", "value": 0.1, "mu": 0.2}, "mu"),
        ({"std": 0.1}, "noise or attack is missing"),
        ({"noise": "gaussian", "std": 0.1, "attack": "fgsm"}, "attack"),
        ({"noise": "fgsm", "epsilon": 0.1}, "noise"),
        ({"attack": "gaussian", "std": 0.1}, "attack"),
        ({"attack": None, "epsilon": 0.1}, "attack"),
        ({"attack": "fgsm"}, "epsilon"),
        ({"attack": "fgsm", "epsilon": 0}, "epsilon"),
        ({"attack": "fgsm", "epsilon": 1.5}, "epsilon"),
        ({"attack": "fgsm", "epsilon": math.nan}, "epsilon"),
        ({"attack": "fgsm", "epsilon": 0.1, "steps": 2}, "steps"),
        ({"attack": "pgd", "epsilon": 0.1, "steps": 0}, "steps"),
        ({"attack": "pgd", "epsilon": 0.1, "steps": 2.5}, "steps"),
        ({"attack": "pgd", "epsilon": 0.1, "step": 0}, "step"),
        ({"attack": "pgd", "epsilon": 0.1, "step": None}, "step"),
        ({"attack": "pgd", "epsilon": 0.1, "restarts": 0}, "restarts"),
        ({"attack": "pgd", "epsilon": 0.1, "restarts": 2, "random_start": False}, "restarts 2"),
        ({"attack": "pgd", "epsilon": 0.1, "seed": 2, "random_start": False}, "seed 2"),
        ({"attack": "pgd", "epsilon": 0.1, "random_start": 1}, "random_start"),
        ({"attack": "pgd", "epsilon": 0.1, "seed": 2**32}, "seed"),
    ],
)
def test_invalid_evaluation_settings_are_refused(data, where):
    with pytest.raises(ValidationError) as caught:
        parse_evaluation(data)
    assert where in str(caught.value)
    assert caught.value.error_count() == 1


def test_an_unknown_evaluation_kind_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown evaluation 'gausian'; did you mean"):
        parse_evaluation({"noise": "gausian", "std": 0.1})
    with pytest.raises(UnknownNameError, match="unknown evaluation 'fsgm'; did you mean 'fgsm'"):
        parse_evaluation({"attack": "fsgm", "epsilon": 0.1})


@pytest.mark.parametrize(
    ("evaluation", "key"),
    [
        (GaussianNoise(std=0.1), "noise"),
        (ConstantNoise(value=0.1), "noise"),
        (ProjectedGradientDescent(epsilon=0.1), "attack"),
        (ProjectedGradientDescent(epsilon=0.1), "step"),
    ],
)
def test_evaluation_configs_are_frozen(evaluation, key):
    with pytest.raises(ValidationError, match="frozen"):
        setattr(evaluation, key, 0.5)


@pytest.mark.parametrize("kind", EVALUATIONS)
def test_every_evaluation_kind_matches_its_class_and_resolves(kind):
    evaluation = EVALUATIONS[kind]
    key = "attack" if kind in ("fgsm", "pgd") else "noise"
    assert evaluation.config.model_fields[key].default == kind
    assert callable(pkgutil.resolve_name(evaluation.perturbation))
