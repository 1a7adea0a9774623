from __future__ import annotations

from collections import Counter
from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from results.errors import ResultsError, UnknownPublishedTableError
from results.published import PUBLISHED, Network, parse_table, published_table
from results.published.units import UNITS
from sweeper.spec.spec import load_spec
from trainers.methods import multistep
from trainers.methods.scheme_config import SchemeConfig

SPECS = sorted((Path(__file__).parents[3] / "specs").glob("*.yaml"))

# How many numbers are printed.
SIZES = {
    "zerosnet/table1": 5,
    "zerosnet/table2": 4,
    "zerosnet/table3": 30,
    "zerosnet/table4": 40,
    "zerosnet/table5": 12,
    "zerosnet/table6": 70,
    "zerosnet/table7": 45,
    "zerosnet/table8": 15,
    "zerosnet/table9": 12,
    "zerosnet/table10": 10,
    "lm_resnet/table1": 0,
    "lm_resnet/table2": 46,
    "lm_resnet/table3": 10,
    "lm_resnet/table4": 8,
    "newton/table1": 8,
    "newton/table2": 8,
    "newton/table4": 4,
    "newton/table5": 8,
    "newton/table6": 12,
    "newton/table7": 4,
    "newton/table8": 8,
    "newton/table9": 4,
    "tm_resnet/results": 4,
}


def rows(name):
    return published_table(name).rows


def row(name, label, metric="test_accuracy"):
    (found,) = [r for r in rows(name) if r.label == label and r.metric == metric]
    return found


def test_every_published_table_loads_completely():
    assert {name: len(table.rows) for name, table in PUBLISHED.items()} == SIZES


def test_every_published_file_is_one_table_named_after_it():
    data = Path(str(resources.files("results.published") / "data"))
    files = {str(file.relative_to(data).with_suffix("")) for file in data.glob("*/*")}
    assert files == PUBLISHED.keys()
    assert all(published_table(name).name == name for name in PUBLISHED)


def test_published_tables_are_sorted_by_paper_and_number():
    assert list(PUBLISHED) == list(SIZES)


def test_shipped_specs_name_existing_published_tables():
    named = {path.name: load_spec(path).published for path in SPECS}
    assert {table for table in named.values() if table} <= PUBLISHED.keys()
    assert len([table for table in named.values() if table]) == 20


def test_an_unknown_published_table_suggests_the_nearest():
    with pytest.raises(
        UnknownPublishedTableError,
        match=r"unknown published table 'zerosnet/tabel3'; did you mean 'zerosnet/table3'\? "
        r"\(known: lm_resnet/table1, ",
    ) as caught:
        published_table("zerosnet/tabel3")
    assert isinstance(caught.value, ResultsError)


def test_published_tables_cite_their_sources():
    zerosnet, tm_resnet = published_table("zerosnet/table3"), published_table("tm_resnet/results")
    assert zerosnet.title == "ZeroSNet, Table 3"
    assert zerosnet.paper.citation == (
        "Liangming Chen, Long Jin, Mingsheng Shang: Zero Stability Well Predicts Performance of"
        " Convolutional Neural Networks. AAAI 2022"
    )
    assert (tm_resnet.number, tm_resnet.paper.arxiv) == (None, "2409.04977")
    assert tm_resnet.paper.citation.endswith("Methods. arXiv 2409.04977, 2024")
    assert all(table.caption and table.paper.title for table in PUBLISHED.values())


NEW = """\
# number: Table 7
# caption: two networks
# notes: printed in haste
# notes: and in italics
# dataset: cifar10
# network.variant.block: null
# network.options.width: 16
label,depth,network.model,network.scheme,network.alpha,network.beta,recipe,zero_stable,root_moduli,\
test_accuracy (percent wrong),test_accuracy std,parameters (millions),remarks (words)
"one, pre-act",20,zerosnet,,1/3 5/9 1/9,16/9,cifar10,yes,0.33 1.00 0.33,6.4,0.15,0.27,slow
two,,resnet,,,,,no,,7,,,
"""


def test_adding_a_published_table_takes_one_file():
    table = parse_table("zerosnet/table11", NEW)
    assert (table.title, table.caption) == ("ZeroSNet, Table 7", "two networks")
    assert table.notes == ("printed in haste", "and in italics")
    accuracy, size, other = table.rows
    assert accuracy.network == size.network
    assert accuracy.network == Network(
        "zerosnet",
        "{alpha: [1/3, 5/9, 1/9], beta: 16/9}",
        alpha=(1 / 3, 5 / 9, 1 / 9),
        beta=16 / 9,
        variant={"block": None},
        options={"width": 16},
    )
    assert (accuracy.mean, accuracy.std, accuracy.resolution) == (93.6, 0.15, 0.01)
    assert (size.metric, size.mean, size.std) == ("parameters", 270_000, None)
    assert accuracy.root_moduli == (1.0, 0.33, 0.33)
    assert accuracy.recipe == published_table("zerosnet/table3").rows[0].recipe
    assert (other.depth, other.mean, other.resolution, other.recipe) == (None, 93.0, 1.0, None)
    assert (other.zero_stable, other.dataset) == (False, "cifar10")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("recipe", "recipes", r"row 1: unknown column 'recipes' \(known: label, metric, unit"),
        ("network.beta", "network.gamma", r"row 1: unknown column 'gamma' \(known: model"),
        ("yes", "Yes", "row 1: zero_stable cannot be 'Yes'"),
        (",20,", ",20.5,", "row 1: depth cannot be '20.5'"),
        ("cifar10,yes", "cifar,yes", "row 1: recipe cannot be 'cifar'"),
        ("16/9", "16/0", "row 1: beta cannot be '16/0'"),
        ("percent wrong", "per cent", r"row 1: test_accuracy has no unit 'per cent' \(known: per"),
        ("6.4", "6,4", "row 1: 14 cells under 13 columns"),
        ("two,", "two", "row 2: 12 cells under 13 columns"),
        ("6.4", "about 6", "row 1: test_accuracy cannot be 'about 6 ± 0.15'"),
        ("# dataset", "# depth", "row 1: depth stands above the table and in it"),
    ],
)
def test_invalid_published_files_are_refused_with_their_place(right, wrong, message):
    with pytest.raises(ValueError, match=rf"published table zerosnet/table11, {message}"):
        parse_table("zerosnet/table11", NEW.replace(right, wrong, 1))


def test_published_numbers_are_converted_to_our_units():
    lm, newton = "LM-ResNet (Ours), 20, pre-act", "Newton-ResNet, 2 2 1 1 blocks"
    assert row("lm_resnet/table2", lm).mean == 91.67
    assert row("lm_resnet/table2", lm, "parameters").mean == 270_000
    assert row("lm_resnet/table2", lm, "parameters").resolution == 10_000
    assert row("newton/table1", newton).mean == 94.5
    assert row("newton/table1", newton).std == 0.1
    assert row("newton/table1", newton, "parameters").mean == 6_000_000
    assert row("newton/table6", "ResNet50, 3 4 6 3 blocks").mean == 76.43
    assert row("tm_resnet/results", "TM-ResNet-22", "parameters").mean == 11_001_000
    assert row("zerosnet/table8", "ZeroSNet, 110 layers", "parameters").mean == 1_740_000
    assert all(isinstance(r.mean, int) for r in rows("zerosnet/table8"))


@given(st.decimals(0, 100, places=2))
def test_published_error_rates_become_accuracies(percent):
    text, right, wrong = str(percent), UNITS["percent"], UNITS["percent wrong"]
    assert wrong.value(text) == pytest.approx(100 - right.value(text), abs=1e-12)
    assert wrong.spread(text) == right.spread(text) == float(percent)
    assert wrong.resolution(text) == 0.01


@given(st.integers(0, 99_999))
def test_published_counts_are_converted_exactly(number):
    assert UNITS["thousands"].value(str(number)) == 1000 * number
    assert UNITS["millions"].value(f"{number / 1000:.3f}") == 1000 * number
    assert UNITS["fraction"].value(f"0.{number:05d}") == pytest.approx(number / 1000, abs=1e-12)


def test_all_published_percentages_are_between_0_and_100():
    percent = ("test_accuracy", "test_top5_accuracy", "train_accuracy", "generalization_gap")
    values = [r.mean for t in PUBLISHED.values() for r in t.rows if r.metric in percent]
    assert len(values) > 200
    assert all(10 < value < 100 for value in values)


def test_a_dropped_trailing_zero_does_not_coarsen_the_resolution():
    assert row("zerosnet/table4", "ZeroSNet-Tra, 56 layers, CIFAR-10").resolution == 0.01


def test_published_numbers_state_their_number_of_runs():
    def runs(name):
        return {r.runs for r in rows(name)}

    assert all(runs(f"zerosnet/table{n}") == {3} for n in (1, 2, 3, 6, 7))
    assert Counter(r.runs for r in rows("zerosnet/table4")) == {3: 28, None: 12}
    assert runs("lm_resnet/table2") == {None}
    assert (runs("newton/table1"), runs("newton/table6"), runs("newton/table8")) == ({5}, {1}, {10})


def test_deviations_are_present_exactly_where_printed():
    without = {n: sum(r.std is None for r in rows(n)) for n in ("zerosnet/table3", "newton/table2")}
    assert without == {"zerosnet/table3": 0, "newton/table2": 4}  # parameters
    assert all((r.std is None) == (r.quoted_from is not None) for r in rows("zerosnet/table4"))
    assert {r.std for r in rows("zerosnet/table7")} == {None}


def test_published_noise_uses_evaluation_names():
    spec = load_spec(next(path for path in SPECS if path.stem == "robustness_table6"))
    named = Counter(r.evaluation for r in rows("zerosnet/table6"))
    assert named == dict.fromkeys([None, *(e.name for e in spec.evaluations)], 10)


def test_published_coefficients_equal_those_of_the_spec_notation():
    """A family's coefficients are written out next to its parameter, as `{lambda: -9/5}`."""
    fixed = Counter()
    for name, table in PUBLISHED.items():
        for r in table.rows:
            if r.network is None or r.network.scheme is None:
                continue
            said = YAML(typ="safe").load(r.network.scheme)
            scheme = SchemeConfig.model_validate(said)
            assert scheme.learned == r.network.learned, (name, r.label)
            if r.network.start is not None:
                assert scheme.start == r.network.start, (name, r.label)
            if r.network.alpha is not None:
                assert scheme.alpha == r.network.alpha, (name, r.label)
                assert scheme.beta == r.network.beta, (name, r.label)
                fixed.update(said.keys())
    assert fixed == {"alpha": 161, "beta": 110, "lambda": 63, "k": 4}


@pytest.mark.parametrize("number", [1, 2, 3, 6, 7, 10])
def test_printed_roots_and_stability_match_the_coefficients(number):
    checked = 0
    for r in rows(f"zerosnet/table{number}"):
        if r.network is None:
            continue
        scheme = multistep.LinearMultistepScheme.of(
            tuple(Fraction(a) for a in r.network.alpha), Fraction(r.network.beta)
        )
        if r.zero_stable is not None:
            assert scheme.zero_stable == r.zero_stable, r.label
        if r.root_moduli is not None:
            assert [round(m, 2) for m in scheme.root_moduli] == list(r.root_moduli), r.label
        checked += r.zero_stable is not None or r.root_moduli is not None
    assert checked >= 4


def test_tables_of_one_paper_agree_where_they_overlap():
    def by_scheme(name, **where):
        return {
            r.network.scheme: (r.mean, r.std)
            for r in rows(name)
            if all(getattr(r, key) == value for key, value in where.items())
        }

    assert by_scheme("zerosnet/table6", evaluation=None) == by_scheme("zerosnet/table3", depth=56)
    best = "{alpha: [1/3, 5/9, 1/9], beta: 16/9}"
    for depth in (32, 44, 56):
        opt = row("zerosnet/table4", f"ZeroSNet-Opt, {depth} layers, CIFAR-10")
        assert (opt.mean, opt.std) == by_scheme("zerosnet/table3", depth=depth)[best]


def test_published_gaps_are_training_minus_test_accuracy():
    for train, test, gap in zip(*[iter(rows("zerosnet/table7"))] * 3, strict=True):
        assert gap.mean == pytest.approx(train.mean - test.mean, abs=1e-9)


def test_quoted_numbers_match_their_source_table_with_one_exception():
    original = {r.mean for r in rows("lm_resnet/table2")}
    strangers = [r for r in rows("zerosnet/table4") if r.quoted_from and r.mean not in original]
    assert [(r.label, r.mean) for r in strangers] == [("LM-ResNet, 110 layers, CIFAR-10", 93.84)]
    assert strangers[0].note == "said to be from Lu et al., but in none of their tables"


def test_post_activation_networks_are_not_comparable():
    in_order = [r.label for r in rows("zerosnet/table4") if r.not_comparable]
    assert in_order == [f"ResNet, {depth} layers, CIFAR-10" for depth in (20, 32, 44, 56)]
    excluded = {r.label for r in rows("lm_resnet/table2") if r.not_comparable}
    assert excluded == {f"ResNet (He et al. (2015b)), {depth}" for depth in (20, 32, 44, 56)}
    pre_activation = row("lm_resnet/table2", "ResNet (He et al. (2016)), 110, pre-act")
    assert pre_activation.not_comparable is None
    assert pre_activation.recipe is None
    excluded = {r.label for r in rows("lm_resnet/table4") if r.not_comparable}
    assert excluded == {
        "ResNet(He et al. (2015b)), 110",
        *(f"ResNet(Huang et al. (2016b)), {d}, stochastic depth" for d in (56, 110, 1202)),
    }


def test_known_misprints_are_marked():
    notes = {r.label: r.note for r in rows("zerosnet/table8") if r.note}
    assert list(notes) == [
        "PreResNet, 32 layers",
        "PreResNet, 56 layers",
        "LM-ResNet, 110 layers",
    ]
    assert notes["LM-ResNet, 110 layers"].startswith("misprint: ")


def test_rows_of_unsupported_networks_say_why():
    lacking = {name: {r.label for r in rows(name) if r.unavailable} for name in PUBLISHED}
    assert {name: len(labels) for name, labels in lacking.items() if labels} == {
        "lm_resnet/table2": 3,
        "lm_resnet/table3": 3,
        "newton/table8": 2,
        "newton/table9": 2,
    }
    assert lacking["lm_resnet/table2"] == {
        "FractalNet (Larsson et al. (2016)), 40",
        "DenseNet (Huang et al., 2016a), 100",
        "DenseNet-BC (Huang et al., 2016a), 190",
    }
    for name, table in PUBLISHED.items():
        for r in table.rows:
            reasons = [r.unavailable, r.not_comparable]
            assert (r.network is not None) or any(reasons), (name, r.label)
            assert not all(reasons)


def test_published_root_moduli_are_sorted():
    for name in ("zerosnet/table3", "zerosnet/table6", "zerosnet/table7", "zerosnet/table10"):
        assert all(list(r.root_moduli) == sorted(r.root_moduli)[::-1] for r in rows(name))
    assert rows("zerosnet/table10")[1].root_moduli == (2.18, 1.0, 0.57)
    assert rows("zerosnet/table10")[1].mean == 2.18
