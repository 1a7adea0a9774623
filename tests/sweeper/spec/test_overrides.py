from __future__ import annotations

import pytest

from sweeper.errors import RequestError, SpecError
from sweeper.spec.spec import spec_from_text

SPEC = """\
model: zerosnet
depth: 20
dataset: digits
training: {epochs: 3}
grid:
  scheme: [{lambda: 10}, {lambda: 2}]
  seed: [0, 1]
"""

DATASETS = "model: zerosnet\ndepth: 20\ngrid:\n  dataset: [digits, fashion_mnist]\n"


def configs(*overrides: str, text: str = SPEC):
    return spec_from_text(text, "s.yaml", overrides).configs


def refusal(*overrides: str, text: str = SPEC) -> str:
    with pytest.raises(RequestError) as caught:
        configs(*overrides, text=text)
    return str(caught.value)


def test_an_override_outside_the_axes_applies_to_every_run():
    found = configs("training.epochs=7", "training.optimizer.lr=1/20", "precision=bf16")
    assert len(found) == 4
    assert {(c.training.epochs, c.training.optimizer.lr, c.precision) for c in found} == {
        (7, 0.05, "bf16")
    }


def test_an_override_changes_only_what_it_names():
    changed, plain = configs("training.optimizer.lr=0.2"), configs()
    assert [c.training.epochs for c in changed] == [3] * 4
    assert [c.scheme for c in changed] == [c.scheme for c in plain]


def test_a_single_value_override_fixes_an_axis():
    assert [c.seed for c in configs("seed=5")] == [5, 5]
    assert [c.scheme.alpha for c in configs("scheme={alpha: [1], beta: 1}")] == [(1.0,)] * 2


def test_a_list_override_replaces_an_axis_in_place():
    assert [c.seed for c in configs("seed=[7, 8, 9]")] == [7, 8, 9] * 2
    assert len(configs("scheme=[{lambda: 3}]")) == 2


def test_a_list_override_of_depth_or_seed_makes_an_axis():
    assert {c.model.depth for c in configs("depth=[20, 32]")} == {20, 32}
    text = "model: zerosnet\ndepth: 20\nseed: 4\ndataset: digits\n"
    assert [c.seed for c in configs("seed=[0, 1]", text=text)] == [0, 1]


def test_a_grid_path_override_makes_an_axis_of_any_setting():
    found = configs("grid.training.optimizer.lr=[0.1, 0.2]")
    assert len(found) == 8
    assert {c.training.optimizer.lr for c in found} == {0.1, 0.2}
    text = "model: zerosnet\ndepth: 20\ndataset: digits\n"
    assert len(configs("grid.precision=[fp32, bf16]", text=text)) == 2


def test_overrides_fix_and_replace_dotted_axes():
    text = SPEC + "  training.optimizer.lr: [0.1, 0.2]\n"
    assert {c.training.optimizer.lr for c in configs("training.optimizer.lr=0.3", text=text)} == {
        0.3
    }
    assert len(configs("training.optimizer.lr=[1, 2, 3]", text=text)) == 12


@pytest.mark.parametrize("asked", ["depth", "model.depth"])
@pytest.mark.parametrize("written", ["depth", "model.depth"])
def test_overrides_treat_depth_and_model_depth_as_one_path(asked, written):
    text = f"model: zerosnet\ndataset: digits\ngrid:\n  {written}: [20, 32]\n"
    assert [c.model.depth for c in configs(f"{asked}=44", text=text)] == [44]
    assert [c.model.depth for c in configs(f"{asked}=[44, 56]", text=text)] == [44, 56]
    assert [c.model.depth for c in configs(f"grid.{asked}=[44]", text=text)] == [44]


@pytest.mark.parametrize("override", ["depth=44", "model.depth=44", "depth=[44]"])
def test_an_override_of_depth_wins_over_the_models_own(override):
    text = SPEC.replace(
        "model: zerosnet\ndepth: 20", "model: {name: zerosnet, depth: 32, width: 8}"
    )
    found = configs(override, text=text)
    assert {(c.model.depth, c.model.width) for c in found} == {(44, 8)}


def test_an_override_of_a_mapping_fixes_the_axes_that_it_sets_and_no_others():
    text = SPEC + "  training.optimizer.lr: [0.1, 0.2]\n"
    found = configs("training={optimizer: {lr: 0.5}}", text=text)
    assert {c.training.optimizer.lr for c in found} == {0.5}
    assert len(found) == 4
    assert len(configs("training={epochs: 1}", text=text)) == 8
    zipped = SPEC + "zip:\n  - {training.optimizer.lr: [0.1, 0.2], depth: [20, 32]}\n"
    found = configs("training.optimizer={lr: 0.5}", text=zipped)
    assert {(c.training.optimizer.lr, c.model.depth) for c in found} == {(0.5, 20), (0.5, 32)}
    found = configs("model={name: preresnet, depth: 44}", text=zipped)
    assert {(c.model.name, c.model.depth) for c in found} == {("preresnet", 44)}


def test_an_override_inside_an_axis_wins_over_the_values_of_the_axis():
    text = DATASETS.replace("[digits,", "[{name: digits, subset: 50},")
    found = configs("dataset.subset=100", text=text)
    assert {(c.dataset.name, c.dataset.subset) for c in found} == {
        ("digits", 100),
        ("fashion_mnist", 100),
    }


def test_an_override_of_a_model_with_a_depth_wins_over_depth():
    found = configs("model={name: preresnet, depth: 44}")
    assert {(c.model.name, c.model.depth) for c in found} == {("preresnet", 44)}


def test_an_override_of_model_depth_wins_over_depth():
    assert {c.model.depth for c in configs("model.depth=44")} == {44}


ZIPPED = """\
model: zerosnet
dataset: digits
zip:
  depth: [20, 32]
  seed: [0, 1]
"""


def test_a_single_value_override_removes_an_axis_from_its_zip():
    assert [(c.model.depth, c.seed) for c in configs("seed=5", text=ZIPPED)] == [(20, 5), (32, 5)]


@pytest.mark.parametrize("form", ["seed=[5, 6, 7]", "grid.seed=[5, 6, 7]"])
def test_a_list_override_moves_a_zipped_axis_into_the_grid(form):
    assert len(configs(form, text=ZIPPED)) == 6


def test_an_override_can_change_a_zip_group():
    found = configs("zip.depth=[44, 56]", text=ZIPPED)
    assert [(c.model.depth, c.seed) for c in found] == [(44, 0), (56, 1)]
    text = ZIPPED.replace("zip:\n  depth: [20, 32]\n  seed", "zip:\n  - depth: [20, 32]\n    seed")
    assert [c.seed for c in configs("seed=3", text=text)] == [3, 3]


def test_overrides_can_add_options_to_a_dataset_given_by_name():
    found = configs("dataset.subset=100")
    assert {(c.dataset.name, c.dataset.subset) for c in found} == {("digits", 100)}
    found = configs("dataset=fashion_mnist", "dataset.subset=100")
    assert {(c.dataset.name, c.dataset.subset) for c in found} == {("fashion_mnist", 100)}


def test_overrides_can_add_options_to_a_model_given_by_name():
    assert {c.model.width for c in configs("model.width=8")} == {8}


def test_overriding_the_model_keeps_the_old_models_depth():
    text = SPEC.replace("model: zerosnet\ndepth: 20", "model: {name: zerosnet, depth: 32}")
    assert {(c.model.name, c.model.depth) for c in configs("model=preresnet", text=text)} == {
        ("preresnet", 32)
    }


def test_an_option_override_applies_to_every_value_of_an_axis():
    found = configs("dataset.subset=100", text=DATASETS)
    assert [(c.dataset.name, c.dataset.subset) for c in found] == [
        ("digits", 100),
        ("fashion_mnist", 100),
    ]
    text = "dataset: digits\ngrid:\n  model: [{name: zerosnet, depth: 20}]\n"
    assert [c.model.depth for c in configs("depth=32", text=text)] == [32]


def test_overrides_can_set_name_evaluations_and_resources():
    spec = spec_from_text(
        SPEC,
        "s.yaml",
        (
            "name=other",
            "evaluations=[{noise: gaussian, std: 0.1}]",
            "resources.cpus=2",
            "exclude=[{seed: 0}]",
            "include=[{seed: 9}]",
        ),
    )
    assert spec.name == "other"
    assert [e.name for e in spec.evaluations] == ["gaussian[0.1]"]
    assert spec.resources.cpus == 2
    assert [c.seed for c in spec.configs] == [1, 1, 9]


def test_an_override_of_null_removes_a_key():
    assert len(configs("grid=null")) == 1
    assert [c.seed for c in configs("seed=null")] == [0, 0]


@pytest.mark.parametrize("form", ["seed=", "seed= ", "grid=", "grid.seed=", "seed= # none"])
def test_an_override_by_a_variable_that_is_not_set_drops_nothing(form):
    message = refusal(form)
    assert "sets no value; is it a variable that is not set?" in message
    path = form.partition("=")[0]
    assert message.endswith(f"{path}=null removes a key")


def test_an_override_without_a_value_that_an_older_version_stored_is_null():
    for override in ("seed=", "grid= "):
        (null, empty) = (
            spec_from_text(SPEC, "s.yaml", [said], stored=True)
            for said in (f"{override.strip()}null", override)
        )
        assert empty.configs == null.configs


def test_the_last_override_of_a_path_wins_and_all_are_recorded():
    spec = spec_from_text(SPEC, "s.yaml", ("training.epochs=7", "training.epochs = 8"))
    assert {c.training.epochs for c in spec.configs} == {8}
    assert spec.overrides == ("training.epochs=7", "training.epochs = 8")


@pytest.mark.parametrize("form", ["depth", "=3", "", "a..b=1", ".depth=1", "depth.=1", " =1"])
def test_malformed_overrides_are_refused_with_an_example(form):
    message = refusal(form)
    assert message.startswith(f"--set {form!r} is not of the form path=value")
    assert "training.epochs=2" in message


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("depth=33", "32 and 38"),
        ("depth=[20, 33]", "32 and 38"),
        ("model.depth=33", "32 and 38"),
        ("seed=-1", "-1"),
        ("grid.depth=20", "valid list"),
        ("grid.depth=[]", "is empty"),
        ("seed=[1, 1]", "twice"),
        ("scheme={lambda: 0}", "lambda must not be 0"),
        ("training.optimizer.lr=[0.1]", "[0.1] is not allowed"),
        (
            "training={optimizer: {name: adamw, betas: [0.9]}}",
            "betas: [0.9] is not allowed: it has too few values",
        ),
        ("dataset.in_memory=true", "unknown key 'in_memory' in dataset (allowed: "),
        ("training.epoch=2", "did you mean 'epochs'"),
        ("trainig.epochs=2", "did you mean 'training'"),
        ("trainig={epochs: 2}", "did you mean 'training'"),
        ("model=zerosnt", "did you mean 'zerosnet'"),
        ("dataset=digts", "did you mean 'digits'"),
        ("dataset.subset=99999", "99999 exceeds"),
        ("depth.x=3", "has no keys"),
        ("training.epochs.x=3", "has no keys"),
        ("name=a/b", "'a/b' is not a name"),
        ("resources.cpus=-1", "greater than or equal to 0.001"),
        ("evaluations.0.std=1", "valid list"),
        ("depth=[20", "not valid YAML"),
        ("depth=!!python/object:os.system x", "not allowed"),
        ("depth={a: 1, a: 2}", "duplicate key"),
        ("depth=&a [*a]", "inside its own anchor"),
        ("include=[{sceme: 3}]", "did you mean 'scheme'"),
        ("exclude=[{seed: 77}]", "matches no point"),
    ],
)
def test_an_override_error_names_the_override(override, says):
    message = refusal(override)
    assert message.startswith(f"--set {override}:"), message
    assert says in message


def test_an_override_path_deeper_than_any_key_is_refused():
    message = refusal("training" + ".a" * 30_000 + "=1")
    assert message.endswith("no key of a spec is nested so deep")
    assert len(message) < 250


@pytest.mark.parametrize("form", ["x" * 10_000, "depth=" + "x" * 10_000, "depth=a\nb\x1b[2J"])
def test_override_errors_are_one_line_of_bounded_length(form):
    message = refusal(form)
    assert message.isprintable()
    assert len(message) < 450


def test_errors_not_caused_by_an_override_are_placed_in_the_file():
    with pytest.raises(SpecError) as caught:
        configs("training.epochs=2", text=SPEC.replace("seed: [0, 1]", "seed: [0, x]"))
    assert str(caught.value.place) == "s.yaml:7:13"


def test_an_option_invalid_for_an_axis_value_is_blamed_on_the_override():
    message = refusal("dataset.subset=5000", text=DATASETS)
    assert message.startswith("--set dataset.subset=5000: ")
    assert "5000 exceeds digits" in message


def test_an_option_is_set_inside_an_optimizer_that_is_a_name_alone():
    text = "model: zerosnet\ndepth: 20\ndataset: digits\ntraining: {optimizer: adamw}\n"
    (config,) = configs("training.optimizer.lr=0.5", text=text)
    assert (config.training.optimizer.name, config.training.optimizer.lr) == ("adamw", 0.5)
