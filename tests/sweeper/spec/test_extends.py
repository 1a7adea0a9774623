"""`extends`: what a spec takes from others, what it changes of them, and where its errors point."""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeper.errors import Place, SpecError
from sweeper.spec.documents import join, split
from sweeper.spec.extending import DEEPEST_EXTENDING, read_whole
from sweeper.spec.files import read_spec_file
from sweeper.spec.source import LARGEST_FILE, SpecSource
from sweeper.spec.spec import Spec, load_spec, spec_from_text
from trainers.config.run import RunConfig

BASE = """\
name: base
description: the base
published: zerosnet/table3
model: {name: preresnet, width: 4}
dataset: {name: digits, subset: 100}
training:
  epochs: 3
  optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
grid:
  depth: [8, 14]
  seed: [0, 1, 2]
exclude:
  - {depth: 14, seed: 2}
evaluations:
  - {noise: gaussian, std: 0.1}
resources: {cpus: 2}
"""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE)


def child(text: str, **others: str) -> Any:
    for name, other in others.items():
        Path(f"{name}.yaml").write_text(other)
    Path("child.yaml").write_text(text)
    return load_spec(Path("child.yaml"))


def refused(text: str, **others: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        child(text, **others)
    return caught.value


def runs(spec: Spec) -> list[tuple[int, int]]:
    return [(c.model.depth, c.seed) for c in spec.configs if isinstance(c, RunConfig)]


def whole(path: str) -> SpecSource:
    return read_whole(read_spec_file(Path(path)))[0]


def test_a_spec_has_what_it_extends_but_for_name_and_description():
    spec, base = child("extends: base.yaml\n"), load_spec(Path("base.yaml"))
    assert spec.configs == base.configs
    assert (spec.evaluations, spec.resources) == (base.evaluations, base.resources)
    assert (spec.name, spec.description, spec.published) == ("child", None, "zerosnet/table3")
    assert spec.files == ("child.yaml", "base.yaml")


def test_mappings_are_merged_and_all_else_is_replaced():
    spec = child(
        "extends: base.yaml\ntraining: {optimizer: {lr: 0.05}}\nevaluations:\n"
        "- {noise: constant, value: 0.3}\nresources: {gpus: 1}\n"
    )
    optimizer = spec.configs[0].training.optimizer
    assert (optimizer.lr, optimizer.momentum) == (0.05, 0.9)
    assert spec.configs[0].training.epochs == 3
    assert [evaluation.name for evaluation in spec.evaluations] == ["constant[0.3]"]
    assert (spec.resources.cpus, spec.resources.gpus) == (2, 1)


def test_an_axis_replaces_the_inherited_one_in_its_place():
    spec = child("extends: base.yaml\ngrid: {depth: [20, 26], precision: [fp32, bf16]}\n")
    assert len(spec.configs) == 2 * 3 * 2
    assert [(c.model.depth, c.seed, c.precision) for c in spec.configs[:3]] == [
        (20, 0, "fp32"),
        (20, 0, "bf16"),
        (20, 1, "fp32"),
    ]


@pytest.mark.parametrize(
    ("change", "points"),
    [
        ("grid: {seed: null}\n", [(8, 0), (14, 0)]),
        ("grid: null\nexclude: null\ndepth: 20\n", [(20, 0)]),
        ("depth: 8\n", [(8, 0), (8, 1), (8, 2)]),
        ("model: {depth: 8}\n", [(8, 0), (8, 1), (8, 2)]),
        ("grid: {model.depth: [8], seed: [1]}\n", [(8, 1)]),
        ("zip: {depth: [20, 26], seed: [5, 6]}\n", [(20, 5), (26, 6)]),
        (
            "grid: {seed: [1]}\nzip: {depth: [20, 26], precision: [fp32, bf16]}\n",
            [(20, 1), (26, 1)],
        ),
        ("grid: {seed: [0]}\ninclude: [{depth: 20}]\n", [(8, 0), (14, 0), (20, 0)]),
    ],
)
def test_axes_are_replaced_fixed_and_removed(change, points):
    assert runs(child(f"extends: base.yaml\n{change}")) == points


def test_a_zip_is_replaced_as_a_whole_and_its_axes_one_by_one_by_others():
    zipped = "extends: base.yaml\ngrid: null\nexclude: null\nzip: {depth: [8, 14], seed: [3, 4]}\n"
    whole_zip = child("extends: z.yaml\nzip: {seed: [7], depth: [20]}\n", z=zipped)
    assert runs(whole_zip) == [(20, 7)]
    one_axis = child("extends: z.yaml\ngrid: {seed: [7, 8]}\n", z=zipped)
    assert runs(one_axis) == [(8, 7), (14, 7), (8, 8), (14, 8)]
    removed = child("extends: z.yaml\ngrid: {seed: null}\n", z=zipped)
    assert runs(removed) == [(8, 0), (14, 0)]


def test_a_scheme_and_what_has_another_name_are_replaced_as_a_whole():
    one = "model: zerosnet\nscheme: {lambda: 10}\ndataset: {name: digits, subset: 9}\ndepth: 8\n"
    text = "extends: one.yaml\nscheme: {k: -0.5}\ndataset: {name: mnist, crop_padding: 1}\n"
    (config,) = child(text, one=one).configs
    plain = (
        "model: zerosnet\nscheme: {k: -0.5}\ndataset: {name: mnist, crop_padding: 1}\ndepth: 8\n"
    )
    assert (config,) == spec_from_text(plain, "plain.yaml").configs


def test_another_model_keeps_the_depth_and_the_same_one_its_options():
    one = "model: {name: preresnet, depth: 14, width: 4}\ndataset: digits\n"
    (other,) = child("extends: one.yaml\nmodel: zerosnet\n", one=one).configs
    assert (other.model.name, other.model.depth, other.model.width) == ("zerosnet", 14, 16)
    (same,) = child("extends: one.yaml\nmodel: preresnet\n", one=one).configs
    assert (same.model.depth, same.model.width) == (14, 4)
    (deeper,) = child("extends: one.yaml\ndepth: 20\n", one=one).configs
    assert (deeper.model.depth, deeper.model.width) == (20, 4)


OWN = """\
trainer: mine:train
options: {depth: 3, rates: {first: 1}}
grid: {options.kernel: [rbf, linear], seed: [0, 1]}
"""


def merged(text: str) -> dict[str, Any]:
    Path("own.yaml").write_text(OWN)
    Path("child.yaml").write_text(f"extends: own.yaml\n{text}")
    return whole("child.yaml").data


def test_another_trainer_keeps_none_of_the_options_nor_axes_of_them():
    other = merged("trainer: mine:fit\noptions: {rates: {second: 2}}\n")
    assert other["options"] == {"rates": {"second": 2}}
    assert other["grid"] == {"seed": [0, 1]}
    own_axis = merged("trainer: mine:fit\ngrid: {options.width: [1, 2]}\n")
    assert own_axis["grid"] == {"seed": [0, 1], "options.width": [1, 2]}
    assert "options" not in merged("trainer: null\nmodel: resnet\n")


def test_the_same_trainer_keeps_its_options():
    same = merged("trainer: mine:train\noptions: {rates: {second: 2}}\n")
    assert same["options"] == {"depth": 3, "rates": {"first": 1, "second": 2}}
    assert same["grid"] == {"options.kernel": ["rbf", "linear"], "seed": [0, 1]}
    Path("parts.yaml").write_text("options: {depth: 3}\n")
    Path("child.yaml").write_text("extends: parts.yaml\ntrainer: mine:train\n")
    assert whole("child.yaml").data["options"] == {"depth": 3}


def test_null_brings_back_the_default():
    spec = child("extends: base.yaml\ntraining: {optimizer: {momentum: null}, epochs: null}\n")
    training = spec.configs[0].training
    plain = spec_from_text("model: preresnet\ndataset: digits\ndepth: 8\n", "s").configs[0].training
    assert training.epochs == plain.epochs
    assert training.optimizer == plain.optimizer.model_copy(update={"lr": 0.1})


def test_later_ones_win_and_each_counts_once_after_those_it_extends():
    spec = child(
        "extends: [longer.yaml, slower.yaml]\n",
        longer="extends: base.yaml\ntraining: {epochs: 9, batch_size: 32}\n",
        slower="extends: base.yaml\ntraining: {batch_size: 64}\n",
    )
    assert spec.files == ("child.yaml", "longer.yaml", "base.yaml", "slower.yaml")
    training = spec.configs[0].training
    assert (training.epochs, training.batch_size) == (9, 64)  # base.yaml does not undo longer.yaml


def test_specs_are_found_beside_the_one_that_names_them_and_among_the_shipped_ones(monkeypatch):
    folder = Path("a/b")
    folder.mkdir(parents=True)
    (folder / "middle.yaml").write_text("extends: ../../base.yaml\ndepth: 8\n")
    Path("a/child.yaml").write_text("extends: [b/middle.yaml]\nseed: 3\n")
    assert load_spec(Path("a/child.yaml")).files == ("a/child.yaml", "a/b/middle.yaml", "base.yaml")
    text = load_spec(Path("a/child.yaml")).text
    monkeypatch.chdir("a")
    assert load_spec(Path("child.yaml")).text == text
    for name in ("quickstart", "quickstart.yaml"):
        Path("child.yaml").write_text(f"extends: {name}\ngrid: {{seed: [0]}}\n")
        spec = load_spec(Path("child.yaml"))
        assert spec.files == ("child.yaml", "quickstart.yaml (shipped)")
        assert {config.seed for config in spec.configs} == {0}
    Path("quickstart.yaml").write_text(BASE)
    assert load_spec(Path("child.yaml")).files == ("child.yaml", "quickstart.yaml")


def test_an_inherited_exclude_may_be_needless_but_not_an_own_one():
    assert runs(child("extends: base.yaml\ngrid: {seed: [0]}\n")) == [(8, 0), (14, 0)]
    error = refused("extends: base.yaml\ngrid: {seed: [0]}\nexclude: [{seed: 2}]\n")
    assert "matches no point" in str(error)
    assert error.place == Place("child.yaml", 3, 11)


MIDDLE = "extends: base.yaml\ntraining:\n  batch_size: 32\n"


@pytest.mark.parametrize(
    ("place", "says", "texts"),
    [
        (
            ("base.yaml", 3, 3),
            "training.epochs: 'many' is not allowed",
            {"base": "dataset: digits\ntraining:\n  epochs: many\nmodel: preresnet\ndepth: 8\n"},
        ),
        (
            ("middle.yaml", 3, 3),
            "unknown key 'batchsize' in training; did you mean 'batch_size'?",
            {"middle": "extends: base.yaml\ntraining:\n  batchsize: 3\n"},
        ),
        (
            ("child.yaml", 2, 12),
            "training.epochs: -1 is not allowed",
            {"child": "extends: middle.yaml\ntraining: {epochs: -1}\n"},
        ),
        (
            ("base.yaml", 2, 37),
            "training.optimizer.lr",
            {
                "base": "grid: {depth: [8],\n"
                "       training.optimizer.lr: [0.1, fast]}\ndataset: digits\nmodel: preresnet\n"
            },
        ),
        (
            ("middle.yaml", 2, 1),
            "not valid YAML",
            {"middle": "extends: base.yaml\n}\n"},
        ),
        (
            ("middle.yaml", 1, 1),
            "extends: there is no 'bsae.yaml' beside middle.yaml, nor among the shipped specs",
            {"middle": "extends: bsae.yaml\n"},
        ),
        (
            ("middle.yaml", 2, 3),
            "extends: 3 is not allowed: give the name of a spec's file",
            {"middle": "extends:\n- 3\n"},
        ),
        (
            ("base.yaml", 1, 11),
            "specs extend one another: child.yaml -> middle.yaml -> base.yaml -> child.yaml",
            {"base": "extends: [child.yaml]\n"},
        ),
        (
            ("child.yaml", 1, 24),
            "base.yaml is extended already, by an entry before it",
            {"child": "extends: [middle.yaml, base.yaml]\n"},
        ),
        (
            ("child.yaml", 1, 1),
            "extends: folder.yaml is no file",
            {"child": "extends: folder.yaml\n"},
        ),
        (
            ("child.yaml", 2, 1),
            "model is varied at base.yaml:3:8, which sets all of it: give that axis other values,"
            " or remove it with grid: {model: null}",
            {
                "base": "dataset: digits\ndepth: 8\ngrid: {model: [preresnet, zerosnet]}\n",
                "child": "extends: middle.yaml\nmodel: {width: 4}\n",
            },
        ),
        (
            ("child.yaml", 2, 8),
            "grid.seeds: None is not allowed: input should be a valid list",
            {"child": "extends: middle.yaml\ngrid: {seeds: null}\n"},
        ),
    ],
)
def test_errors_name_the_file_and_place_they_come_from(place, says, texts):
    Path("folder.yaml").mkdir()
    written = {"child": "extends: middle.yaml\n", "middle": MIDDLE, "base": BASE} | texts
    for name, text in written.items():
        Path(f"{name}.yaml").write_text(text)
    with pytest.raises(SpecError) as caught:
        load_spec(Path("child.yaml"))
    assert says in str(caught.value)
    assert (caught.value.place.file, caught.value.place.line) == place[:2]
    assert str(caught.value).startswith(":".join(map(str, place)))


def test_specs_may_extend_one_another_ten_deep():
    for depth in range(DEEPEST_EXTENDING):
        Path(f"s{depth + 1}.yaml").write_text(f"extends: s{depth}.yaml\nseed: {depth + 1}\n")
    Path("s0.yaml").write_text("extends: base.yaml\n")
    assert load_spec(Path("s9.yaml")).files[-1] == "base.yaml"
    with pytest.raises(SpecError, match=r"s0.yaml:1:1: more than 10 specs extend one another"):
        load_spec(Path("s10.yaml"))


def test_all_files_together_have_the_size_and_the_values_of_one():
    filling = "#" * (LARGEST_FILE // 2)
    half = f"seed: 1\n{filling}\n"
    error = refused("extends: [b.yaml, a.yaml]\nmodel: x\n", a=half, b=half)
    assert error.place == Place("child.yaml", 1, 19)
    assert "more than the 250,000 bytes or 8,000 keys and values" in str(error)
    many = f"include: [{', '.join(['{depth: 8}'] * 2000)}]\n"
    assert "8,000" in str(refused("extends: [b.yaml, a.yaml]\n", a=many, b=many))
    bomb = "a: &a [1, 1]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n" + "".join(
        f"{next_}: &{next_} [{', '.join([f'*{name}'] * 10)}]\n"
        for name, next_ in zip("bcd", "cde", strict=True)
    )
    assert "once its aliases are expanded" in str(refused("extends: a.yaml\n", a=bomb))


def test_a_url_with_a_password_in_an_extended_spec_is_refused_and_not_repeated():
    error = refused("extends: a.yaml\n", a="x: 1\ny: s3://me:hunter2@host/there\n")
    assert str(error).startswith("a.yaml:2: a URL holds what looks like a password")
    assert "hunter2" not in str(error)


def test_the_stored_text_needs_no_file_and_names_the_same_places():
    folder = Path("specs")
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/base.yaml").write_text(f"---\n{BASE}")
    (folder / "middle.yaml").write_text("extends: inner/base.yaml\ntraining: {epochs: 4}\n")
    (folder / "child.yaml").write_text("extends: [middle.yaml, quickstart]\nseed: 1")
    spec = load_spec(folder / "child.yaml", ["grid.depth=[8, 20]"])
    wrong = "grid.depth=[8, 9]"
    with pytest.raises(SpecError) as from_files:
        load_spec(folder / "child.yaml", ["training.epochs=0"])
    shutil.rmtree(folder)
    again = spec_from_text(spec.text, spec.source, spec.overrides)
    assert again == spec
    assert spec_from_text(again.text, again.source, again.overrides) == spec
    with pytest.raises(SpecError) as from_text:
        spec_from_text(spec.text, spec.source, ["training.epochs=0"])
    assert str(from_text.value) == str(from_files.value)
    with pytest.raises(SpecError, match=r"--set grid.depth"):
        spec_from_text(spec.text, spec.source, [wrong])
    # It is a spec that can be run as it is, and extended.
    Path("saved.yaml").write_text(spec.text)
    assert load_spec(Path("saved.yaml"), spec.overrides).configs == spec.configs
    assert load_spec(Path("saved.yaml")).text == spec.text
    on_top = child("extends: saved.yaml\ngrid: {depth: [8, 20]}\n")
    assert on_top.configs == spec.configs
    assert spec_from_text(on_top.text, on_top.source) == on_top


def test_a_spec_that_extends_nothing_is_stored_as_it_is():
    assert load_spec(Path("base.yaml")).text == BASE
    assert load_spec(Path("base.yaml")).files == ("base.yaml",)


def test_a_stored_text_does_not_look_into_the_folder():
    with pytest.raises(SpecError, match=r"there is no 'base.yaml' among the shipped specs"):
        spec_from_text("extends: base.yaml\n", "child.yaml")


_TEXT = st.text("ab:\n\r-# ", max_size=30)


@given(
    own=_TEXT,
    others=st.dictionaries(st.text("ab/.\"'\\ é,", min_size=1, max_size=9), _TEXT, max_size=3),
)
def test_documents_are_split_as_they_were_joined(own, others):
    assert split(join(own, others)) == (own, others)


@pytest.mark.parametrize("end", ["", "\n", "\n\n\n", "\r\n"])
def test_a_stored_spec_keeps_the_line_breaks_that_its_texts_end_with(tmp_path, end):
    for name, key in (("base", "options"), ("middle", "extends: base.yaml\noptions")):
        text = f"{key}:\n  {name}: |+\n    a{end}"
        (tmp_path / f"{name}.yaml").write_bytes(text.encode())
    own = f"extends: middle.yaml\ntrainer: wrong_trainers:train\noptions:\n  own: |+\n    a{end}"
    (tmp_path / "own.yaml").write_bytes(own.encode())
    spec = load_spec(tmp_path / "own.yaml")
    again = spec_from_text(spec.text, "own.yaml", stored=True)
    assert again.configs == spec.configs
    (options,) = {str(config.options) for config in spec.configs}
    assert "'base': 'a" in options


def test_a_document_whose_name_is_no_json_is_an_error_of_the_spec():
    for name in ('"\\q"', '"\\ud800"'):
        text = f"extends: base.yaml\n--- # extended: {name}\nseed: 1\n"
        with pytest.raises(SpecError, match=r"there is no 'base.yaml' among the shipped specs"):
            spec_from_text(text, "child.yaml")


_LEAF = st.one_of(st.none(), st.integers(0, 9), st.lists(st.integers(0, 9), max_size=2))
_TRAINING = st.dictionaries(
    st.sampled_from(["epochs", "optimizer", "batch_size"]),
    _LEAF | st.dictionaries(st.sampled_from(["name", "lr", "momentum"]), _LEAF, max_size=2),
    max_size=3,
)
_SPEC = st.fixed_dictionaries(
    {},
    optional={
        "training": _TRAINING | _LEAF,
        "grid": st.dictionaries(
            st.sampled_from(["depth", "seed", "training.epochs", "training.optimizer"]),
            st.none() | st.lists(st.integers(0, 9), max_size=2),
            max_size=3,
        ),
        "zip": st.dictionaries(
            st.sampled_from(["depth", "seed"]), st.lists(st.integers(0, 9), max_size=2), max_size=2
        ),
        "include": _LEAF,
        "seed": _LEAF,
    },
)


@settings(max_examples=15, deadline=None)
@given(
    specs=st.lists(_SPEC, min_size=3, max_size=4),
    cut=st.integers(1, 2),
    chained=st.booleans(),
)
def test_how_a_list_of_specs_is_divided_into_files_makes_no_difference(specs, cut, chained):
    with tempfile.TemporaryDirectory() as folder:
        names = [f"s{index}.yaml" for index in range(len(specs))]

        def write(name: str, data: object) -> str:
            Path(folder, name).write_text(json.dumps(data))
            return name

        def read(name: str) -> Any:
            try:
                found = whole(f"{folder}/{name}")
            except SpecError as error:
                return str(error)
            there = {p: at for p, at in found.places.items() if p and p[0] != "extends"}
            return found.data, there

        for name, spec in zip(names, specs, strict=True):
            write(name, spec)
        flat = read(write("flat.yaml", {"extends": names}))
        first = write("first.yaml", {"extends": names[:cut]})
        rest = write("rest.yaml", {"extends": names[cut:]})
        assert read(write("pair.yaml", {"extends": [first, rest]})) == flat
        assert read(write("left.yaml", {"extends": [first, *names[cut:]]})) == flat
        assert read(write("right.yaml", {"extends": [*names[:cut], rest]})) == flat
        if chained:
            for below, (name, spec) in zip(
                names, list(zip(names, specs, strict=True))[1:], strict=False
            ):
                write(name, {"extends": below, **spec})
            chain = read(names[-1])
            assert type(chain) is type(flat)
            if not isinstance(chain, str):
                assert chain[0] == flat[0]


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 20) | st.sampled_from(["a", "digits", "1/2", ""]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["name", "depth", "seed", "model.width", "x"]), inner)
    ),
    max_leaves=5,
)
_KEYS = st.sampled_from(
    ["model", "scheme", "depth", "dataset", "training", "grid", "zip", "include", "exclude", "name"]
)


_NONSENSE = st.dictionaries(_KEYS, _ANY, max_size=4)


@settings(max_examples=60, deadline=None)
@given(below=_NONSENSE, above=_NONSENSE)
def test_nonsense_over_nonsense_is_an_error_of_the_spec(below, above):
    own = json.dumps({**above, "extends": "b.yaml"})
    text = f'{own}\n--- # extended: "b.yaml"\n{json.dumps(below)}\n'
    with suppress(SpecError):
        assert spec_from_text(text, "s.yaml").configs
