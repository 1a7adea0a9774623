"""What tells a stranger whose this is and how to cite it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CITATION = YAML(typ="safe").load(ROOT / "CITATION.cff")


def test_citation_cff_is_valid() -> None:
    done = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", "vendor.citation-file-format",
         ROOT / "CITATION.cff"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_citation_cff_has_the_titles_of_the_five_papers() -> None:
    assert {reference["title"] for reference in CITATION["references"]} == {
        "Zero Stability Well Predicts Performance of Convolutional Neural Networks",
        "Beyond Finite Layer Neural Networks: Bridging Deep Architectures and Numerical"
        " Differential Equations",
        "Enhancing Convolutional Neural Networks with Higher-Order Numerical Difference Methods",
        "Newton Residual Learning",
        "Understanding ResNet from a Discrete Dynamical System Perspective",
    }


def test_package_metadata_licence_and_citation_agree() -> None:
    assert CITATION["title"] == PROJECT["name"]
    assert CITATION["version"] == PROJECT["version"]
    assert CITATION["license"] == PROJECT["license"]
    first, *_ = (ROOT / "LICENSE").read_text().splitlines()
    assert first == f"SPDX-License-Identifier: {PROJECT['license']}"


@pytest.mark.parametrize("package", ["results", "sweep_plugins", "sweeper", "trainers"])
def test_every_package_has_a_py_typed_marker(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_test_requirements_are_pinned() -> None:
    pinned = {
        canonicalize_name(line.split("==")[0])
        for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]:
        assert canonicalize_name(Requirement(line).name) in pinned, line
