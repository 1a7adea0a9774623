"""Networks are counted once, and what was counted is found again."""

from __future__ import annotations

import importlib
import json
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from small_networks import resolved
from trainers.errors import TrainerError
from trainers.models import building, counting
from trainers.models.architecture import Architecture
from trainers.models.counting import NetworkCounts, count, read_counts, write_counts

IMAGES = {"channels": 3, "classes": 10, "size": 32}

ONE_FILE = '''
from pydantic import Field
from torch import nn

from trainers.methods.fractions import Whole
from trainers.models.architecture import Architecture, ModelOptions
from trainers.models.network import Network


class Options(ModelOptions):
    """A plain network of `depth` convolutions."""

    width: Whole = Field(default=4, ge=1)


class Plain(Network):
    def __init__(self, options, _scheme, *, channels, classes, generator):
        super().__init__()
        self.stem = nn.Conv2d(channels, options.width, 1)
        self.blocks = nn.ModuleList(
            nn.Conv2d(options.width, options.width, 3, padding=1) for _ in range(options.depth)
        )
        self.classifier = nn.Linear(options.width, classes)


PLAIN = Architecture(options=Options, builder=Plain)
'''


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options of each network that is counted, by a process that knows of none yet."""
    monkeypatch.setattr(counting, "_known", {})
    seen: list[Any] = []
    measure = building.measure

    def noted(builder: Any, options: Any, *rest: Any, **images: Any) -> Any:
        seen.append(options)
        return measure(builder, options, *rest, **images)

    monkeypatch.setattr(building, "measure", noted)
    return seen


@pytest.fixture
def plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Architecture]:
    """Writes a model of one file, as a plugin has it, and imports it."""
    monkeypatch.syspath_prepend(tmp_path)

    def imported(text: str) -> Architecture:
        (tmp_path / "plain_network.py").write_text(text)
        monkeypatch.delitem(sys.modules, "plain_network", raising=False)
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        architecture: Architecture = importlib.import_module("plain_network").PLAIN
        return architecture

    return imported


def small(scheme: dict[str, Any] | None = None, **options: Any) -> NetworkCounts:
    return count(*resolved("zerosnet", scheme, {"depth": 8, "width": 4, **options}), **IMAGES)


def test_networks_are_counted_once_for_all_values_of_fixed_coefficients(
    measured: list[Any],
) -> None:
    one = small({"lambda": 2})
    assert small({"lambda": "-9/5"}) == one
    assert small({"alpha": [0, 1, 0], "beta": 1}) == one
    assert len(measured) == 1
    assert small({"lambda": 2, "trainable": True}).parameters == one.parameters + 1
    assert small({"alpha": [1, 0], "beta": 1}).parameters < one.parameters
    assert small(width=5) != one
    assert len(measured) == 4


def test_stored_counts_are_not_computed_again(
    measured: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "home" / "networks.json"
    one, other = small(), small(width=5)
    write_counts(file)
    monkeypatch.setattr(counting, "_known", {})
    read_counts(file)
    assert (small(), small(width=5)) == (one, other)
    assert len(measured) == 2


def test_two_processes_add_to_one_counts_file(
    measured: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "networks.json"
    for width in (4, 5):
        monkeypatch.setattr(counting, "_known", {})
        small(width=width)
        write_counts(file)
    read_counts(file)
    assert len(counting._known) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b'{"format": 0, "networks": {}}',
        b'{"format": 1}',
        b'{"format": 1, "networks": {"key": [1]}}',
        b'{"format": 1, "networks": {"key": ["many", 2]}}',
        b'{"format": 1, "networks": {"key": [1e999, 2]}}',
        b'{"format": 1, "networks": {"key": [1' + b"0" * 400 + b", 2]}}",
        b'{"format": 1, "networks": {"key": [1, -2]}}',
        b"[" * 100_000,
    ],
)
def test_an_unreadable_counts_file_is_recreated(
    content: bytes, measured: list[Any], tmp_path: Path
) -> None:
    file = tmp_path / "networks.json"
    file.write_bytes(content)
    read_counts(file)
    one = small()
    write_counts(file)
    assert list(json.loads(file.read_bytes())["networks"].values()) == [
        [one.parameters, one.multiply_adds, *(one.training or ())]
    ]


def test_without_a_writable_counts_file_networks_are_counted_again(
    measured: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "home").write_text("a file, and no folder")
    small()
    write_counts(tmp_path / "home" / "networks.json")
    read_counts(tmp_path / "home" / "networks.json")
    assert len(measured) == 1


def test_a_single_file_model_is_counted_again_after_an_edit(
    measured: list[Any], plain: Callable[[str], Architecture]
) -> None:
    architecture = plain(ONE_FILE)
    options = architecture.options(name="plain", depth=2)
    counts = count(architecture, options, None, **IMAGES)
    stem, block, classifier = 3 * 4 + 4, 9 * 16 + 4, 4 * 10 + 10
    assert counts.parameters == stem + 2 * block + classifier
    assert counts.multiply_adds == (3 * 4 + 2 * 9 * 16) * 32**2
    assert count(plain(ONE_FILE), options, None, **IMAGES) == counts
    assert len(measured) == 1
    edited = plain(ONE_FILE.replace("range(options.depth)", "range(options.depth + 1)"))
    assert count(edited, options, None, **IMAGES).parameters == counts.parameters + block
    assert len(measured) == 2


def test_a_plain_network_yields_the_states_of_its_blocks(
    plain: Callable[[str], Architecture],
) -> None:
    architecture = plain(ONE_FILE)
    options = architecture.options(name="plain", depth=2)
    network: Any = architecture.build(
        options, None, channels=3, classes=10, generator=torch.Generator()
    )
    images = torch.zeros(2, 3, 8, 8)
    states = list(network.states(images))
    assert [state.shape for state in states] == [(2, 4, 8, 8)] * 3
    assert torch.equal(network(images), network.classifier(states[-1].mean(dim=(2, 3))))


def test_a_network_that_calls_item_while_building_is_counted(
    plain: Callable[[str], Architecture],
) -> None:
    reading = ONE_FILE.replace(
        "        super().__init__()\n",
        "        super().__init__()\n"
        "        self.rates = [rate.item() for rate in torch.linspace(0, 1, options.depth)]\n",
    ).replace("from torch import nn\n", "import torch\nfrom torch import nn\n")
    architecture, same = plain(reading), plain(ONE_FILE)
    options = architecture.options(name="plain", depth=2)
    assert count(architecture, options, None, **IMAGES) == count(same, options, None, **IMAGES)


def test_a_network_that_calls_numpy_while_building_is_counted(
    plain: Callable[[str], Architecture],
) -> None:
    asking = ONE_FILE.replace(
        "        super().__init__()\n",
        "        super().__init__()\n        self.rates = torch.ones(options.depth).numpy()\n",
    ).replace("from torch import nn\n", "import torch\nfrom torch import nn\n")
    architecture, same = plain(asking), plain(ONE_FILE)
    options = architecture.options(name="plain", depth=2)
    assert count(architecture, options, None, **IMAGES) == count(same, options, None, **IMAGES)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (
            "nn.Conv2d(channels, options.width, 1)\n",
            "Either(nn.Conv2d(channels, options.width, 1))\n",
        ),
        (
            "nn.Linear(options.width, classes)\n",
            "torch.jit.script(nn.Linear(options.width, classes))\n",
        ),
    ],
    ids=["a branch", "a script"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_network_with_operators_of_a_higher_order_is_counted_by_torch(
    plain: Callable[[str], Architecture], own: str, other: str
) -> None:
    either = """
class Either(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, images):
        return torch.cond(images.sum() >= 0, self.layer, self.layer, (images,))


class Plain"""
    changed = ONE_FILE.replace(own, other).replace("\nclass Plain", either)
    architecture = plain(
        changed.replace("from torch import nn\n", "import torch\nfrom torch import nn\n")
    )
    same = plain(ONE_FILE)
    options = architecture.options(name="plain", depth=2)
    assert count(architecture, options, None, **IMAGES) == count(same, options, None, **IMAGES)


def test_a_network_without_products_has_no_multiply_adds(
    plain: Callable[[str], Architecture],
) -> None:
    linear = ONE_FILE.replace("nn.Conv2d(channels, options.width, 1)", "nn.Identity()").replace(
        "nn.Linear(options.width, classes)", "nn.Linear(channels, classes)"
    )
    architecture = plain(linear)
    found = count(architecture, architecture.options(name="plain", depth=0), None, **IMAGES)
    assert (found.parameters, found.multiply_adds) == (40, 0)


def test_a_builder_without_a_name_is_identified_by_its_type(
    plain: Callable[[str], Architecture],
) -> None:
    named = plain(ONE_FILE)
    assert callable(named.builder)
    unnamed = Architecture(options=named.options, builder=partial(named.builder))
    options = named.options(name="plain", depth=1)
    assert count(unnamed, options, None, **IMAGES) == count(named, options, None, **IMAGES)


def test_errors_while_building_a_network_to_count_are_reported(
    plain: Callable[[str], Architecture],
) -> None:
    wrong = plain(ONE_FILE.replace("3, padding=1", "3, padding=1, groups=3"))
    said = r"model 'plain' cannot be built for images of 3 x 32 x 32: ValueError: .* by groups"
    with pytest.raises(TrainerError, match=said):
        count(wrong, wrong.options(name="plain", depth=1), None, **IMAGES)


def test_a_model_package_is_counted_again_after_any_file_is_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "plain_package"
    (package / "inside").mkdir(parents=True)
    for name in ("__init__.py", "inside/__init__.py", "layers.py"):
        (package / name).write_text("")
    (package / "inside" / "network.py").write_text(textwrap.dedent(ONE_FILE))
    monkeypatch.syspath_prepend(tmp_path)
    named = [Architecture(options=Any, builder="plain_package.inside.network:Plain") for _ in "ab"]
    before = counting._code(named[0])
    (package / "layers.py").write_text("WIDTH = 3\n")
    assert counting._code(named[1]) != before
    assert "plain_package" not in sys.modules


@pytest.mark.parametrize("module", ["__main__", "of_no_file"])
def test_a_builder_that_is_in_no_file_is_counted_in_each_process(
    module: str, plain: Callable[[str], Architecture], monkeypatch: pytest.MonkeyPatch
) -> None:
    architecture = plain(ONE_FILE)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)  # as of a script
    monkeypatch.setattr(architecture.builder, "__module__", module)
    same = Architecture(options=architecture.options, builder=architecture.builder)
    one, other = counting._code(architecture), counting._code(same)
    assert one.startswith(f"{module}:Plain ")
    assert one != other
