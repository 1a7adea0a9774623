"""Probes in a run's config: one form for one training, and what cannot be measured is said."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from trainers.config.probes import PROBES
from trainers.config.run import RunConfig

Small = Callable[..., dict[str, Any]]

EVERYTHING = ["principal_angles", "condition_numbers", "feature_norms", "runtime"]


def config(small: Small, probes: Any, **changes: Any) -> RunConfig:
    return RunConfig.model_validate(small(probes=probes, **changes))


@pytest.mark.parametrize("none", [None, [], ()])
def test_a_config_without_probes_keeps_its_run_id(small: Small, none: Any) -> None:
    without = RunConfig.model_validate(small())
    assert config(small, none).to_json() == without.to_json()
    assert config(small, none).run_id == without.run_id
    assert "probes" not in without.to_json()


def test_probes_are_written_out_sorted_with_their_options(small: Small) -> None:
    found = config(small, ["runtime", {"probe": "principal_angles"}]).to_json()["probes"]
    assert found == [
        {"probe": "principal_angles", "every": 1, "images_per_class": 50, "by_class": False},
        {"probe": "runtime", "batch_sizes": [128], "batches": 5},
    ]


def test_a_config_with_probes_round_trips_through_json(small: Small) -> None:
    first = config(small, EVERYTHING)
    again = RunConfig.model_validate(first.to_json())
    assert again == first
    assert again.run_id == first.run_id
    assert first.with_seed(5).run_id == config(small, EVERYTHING, seed=5).run_id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["feature_norms"], [{"probe": "feature_norms"}]),
        (["feature_norms"], [{"probe": "feature_norms", "every": 1, "images": 256}]),
        # 3 epochs: at the start and at the end.
        ([{"probe": "feature_norms", "every": 3}], [{"probe": "feature_norms", "every": 99}]),
        # The digits have 500 test images.
        ([{"probe": "feature_norms", "images": 500}], [{"probe": "feature_norms", "images": 501}]),
        (["runtime"], [{"probe": "runtime", "batch_sizes": 128}]),
        (
            [{"probe": "runtime", "batch_sizes": [8, 4]}],
            [{"probe": "runtime", "batch_sizes": [4, 8], "batches": 5}],
        ),
        (EVERYTHING, EVERYTHING[::-1]),
    ],
    ids=str,
)
def test_equal_probes_have_one_run_id_however_written(
    small: Small, one: list[Any], other: list[Any]
) -> None:
    assert config(small, one) == config(small, other)
    assert config(small, one).run_id == config(small, other).run_id


@given(
    st.permutations(EVERYTHING),
    st.sets(st.sampled_from(EVERYTHING), min_size=1),
    st.sets(st.sampled_from(EVERYTHING)),
)
def test_run_id_depends_on_the_set_of_probes_only(
    small: Small, order: list[str], chosen: set[str], in_full: set[str]
) -> None:
    written = [{"probe": p} if p in in_full else p for p in order if p in chosen]
    assert config(small, written).run_id == config(small, sorted(chosen)).run_id
    assert config(small, written).run_id != RunConfig.model_validate(small()).run_id


def test_other_probe_options_give_another_run_id(small: Small) -> None:
    variants: list[Any] = [
        None,
        ["principal_angles"],
        [{"probe": "principal_angles", "every": 2}],
        [{"probe": "principal_angles", "by_class": True}],
        [{"probe": "principal_angles", "images_per_class": 10}],
        ["feature_norms"],
    ]
    assert len({config(small, probes).run_id for probes in variants}) == len(variants)


@pytest.mark.parametrize(
    ("probes", "words"),
    [
        (["feature_norm"], ["unknown probe 'feature_norm'", "did you mean 'feature_norms'"]),
        (["feature_norms", {"probe": "feature_norms", "every": 2}], ["feature_norms is listed"]),
        ("feature_norms", ["'feature_norms' is not a list of probes"]),
        ([3], ["3 is not a probe: give its name"]),
        ([{"every": 3}], ["is not a probe"]),
        ([{"probe": "feature_norms", "every": 0}], ["greater than or equal to 1"]),
        ([{"probe": "feature_norms", "every": True}], ["valid integer"]),
        ([{"probe": "runtime", "every": 2}], ["Extra inputs"]),
        ([{"probe": "principal_angles", "images_per_class": 1}], ["greater than or equal to 2"]),
        ([{"probe": "principal_angles", "by_class": "yes"}], ["neither true nor false"]),
        ([{"probe": "runtime", "batch_sizes": [1]}], ["not all between 2 and"]),
        ([{"probe": "runtime", "batch_sizes": []}], ["not one or more, none of them twice"]),
        ([{"probe": "runtime", "batch_sizes": [4, 4]}], ["not one or more, none of them twice"]),
        (
            ["learned_coefficients"],
            ["zerosnet learns none", "with the scheme 1/3, 5/9, 1/9; 16/9", "trainable: true"],
        ),
    ],
    ids=str,
)
def test_probe_errors_name_what_is_wrong(small: Small, probes: Any, words: list[str]) -> None:
    with pytest.raises(ValidationError) as error:
        config(small, probes)
    for word in words:
        assert word in str(error.value)


def test_learned_coefficients_probe_needs_a_model_that_learns_them(small: Small) -> None:
    newton = {"name": "newton_resnet", "blocks": [1, 1], "width": 4}
    assert config(small, ["learned_coefficients"], model=newton).probes
    with pytest.raises(ValidationError, match="resnet learns none: remove the probe"):
        config(small, ["learned_coefficients"], model={**newton, "name": "resnet"})


def test_a_probe_is_measured_at_its_interval_and_the_last_epoch(small: Small) -> None:
    def epochs(probe: Any, last: int = 7) -> list[int]:
        (found,) = config(small, [probe], training={"epochs": 7}).probes or ()
        return [n for n in range(last + 1) if found.is_measured(n, last=n == last)]

    assert epochs("feature_norms") == [0, 1, 2, 3, 4, 5, 6, 7]
    assert epochs({"probe": "feature_norms", "every": 3}) == [0, 3, 6, 7]
    assert epochs({"probe": "feature_norms", "every": 7}) == [0, 7]
    assert epochs({"probe": "feature_norms", "every": 3}, last=5) == [0, 3, 5]
    assert epochs("runtime") == [7]


def test_planning_probes_needs_no_torch(small: Small) -> None:
    code = (
        "import sys\nfrom trainers.config.run import RunConfig\n"
        f"RunConfig.model_validate({small(probes=EVERYTHING)!r}).run_id\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_probe_resolves() -> None:
    assert sorted(PROBES) == sorted([*EVERYTHING, "learned_coefficients"])
    for probe in PROBES.values():
        assert callable(pkgutil.resolve_name(probe.meter))


def test_the_docs_list_every_probe_with_options_and_defaults(small: Small) -> None:
    text = (Path(__file__).parents[3] / "docs" / "probes.md").read_text()
    for name, probe in PROBES.items():
        section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for option, field in probe.config.model_fields.items():
            if option not in ("probe", "every"):
                assert f"`{option}" in section, (name, option)
                default = [*field.default] if isinstance(field.default, tuple) else field.default
                assert default is False or f"(default {default})" in section, (name, option)
