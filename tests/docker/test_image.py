"""docker/Dockerfile: what goes into the image, at which versions, and who runs it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("results", "sweep_plugins", "sweeper", "trainers")


PINS = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()]
PINNED = {canonicalize_name(name): version for name, version in PINS}


def copied() -> list[str]:
    """What the image takes from the builder's context."""
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.M)
    return [source.rstrip("/") for line in lines for source in line.split()]


def in_context(path: str) -> bool:
    """Whether .dockerignore lets it through: the last rule that matches decides."""
    decision = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line and not line.startswith("#"):
            pattern = line.lstrip("!").rstrip("/")
            if any(fnmatch(part, pattern.removeprefix("**/")) for part in _prefixes(path, pattern)):
                decision = line.startswith("!")
    return decision


def _prefixes(path: str, pattern: str) -> list[str]:
    """The path and the folders above it; for `**/`, their names."""
    above = [path, *(str(parent) for parent in Path(path).parents if parent != Path())]
    return [Path(part).name for part in above] if pattern.startswith("**/") else above


def test_hadolint_accepts_the_dockerfile() -> None:
    done = subprocess.run(
        [BIN / "hadolint", ROOT / "docker" / "Dockerfile"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_hadolint_rejects_a_bad_dockerfile(tmp_path: Path) -> None:
    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.replace("13.2.1-base-ubuntu24.04", "latest") + "\nUSER root\n")
    assert worse.read_text() != DOCKERFILE
    done = subprocess.run([BIN / "hadolint", worse], capture_output=True, text=True)
    assert done.returncode == 1
    assert "DL3002" in done.stdout  # the last user is not to be root


def test_the_build_context_has_all_packages_and_no_secrets() -> None:
    assert {*PACKAGES, "pyproject.toml", "constraints.txt", "specs"} <= set(copied())
    for source in copied():
        assert (ROOT / source).exists()
        assert in_context(source), f"{source} is kept out by .dockerignore"
    for path in (".git/config", ".sweep/sweep.db", "docker/secrets/ray_token", ".venv/bin/sweep",
                 "docker/compose.yaml", "sweeper/__pycache__/cli.cpython-311.pyc"):  # fmt: skip
        assert not in_context(path)


@pytest.mark.slow
def test_a_wheel_built_from_the_build_context_is_complete(tmp_path: Path) -> None:
    for source in set(copied()):
        into = tmp_path / source
        into.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, into, symlinks=True, ignore=ignored)
        else:
            shutil.copy(ROOT / source, into)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
         "--no-build-isolation", "--wheel-dir", tmp_path / "wheels", tmp_path],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "wheels").glob("multistep_sweep-*.whl")
    there = set(zipfile.ZipFile(wheel).namelist())
    files = [path for package in PACKAGES for path in (tmp_path / package).rglob("*")]
    missing = {str(path.relative_to(tmp_path)) for path in files if path.is_file()} - there
    assert not missing
    specs = {f"sweeper/specs/{path.name}" for path in (tmp_path / "specs").iterdir()}
    assert specs <= there
    assert "multistep_sweep.py" in there


def test_every_requirement_of_the_image_is_pinned() -> None:
    """With Ray's job server, which a laptop need not have."""
    # The image's Python, whatever this one's is.
    environment = {"extra": "default", "python_version": "3.12", "python_full_version": "3.12.3"}
    needed = [Requirement(line) for line in PYPROJECT["project"]["dependencies"]]
    for line in requires("ray") or []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            needed.append(requirement)
    for requirement in needed:
        version = PINNED.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not pinned"
        assert requirement.specifier.contains(version), f"{requirement} against {version}"


def test_no_requirement_is_pinned_twice() -> None:
    assert len(PINNED) == len(PINS)


def test_the_base_image_has_the_cuda_version_of_torch() -> None:
    (base,) = re.findall(
        r"^ARG BASE=nvidia/cuda:(\d+\.\d+)\.\d+-base-ubuntu24\.04$", DOCKERFILE, re.M
    )
    assert base == ".".join(PINNED["cuda-toolkit"].split(".")[:2])


def test_the_image_has_a_supported_python() -> None:
    (version,) = set(re.findall(r"python(3\.\d+)", DOCKERFILE))
    assert SpecifierSet(PYPROJECT["project"]["requires-python"]).contains(version)


def test_the_documented_image_tag_is_the_package_version() -> None:
    assert f"--tag sweep:{PYPROJECT['project']['version']} " in DOCKERFILE


@pytest.mark.parametrize("instruction", ["CMD", "ENTRYPOINT"])
def test_the_image_starts_programs_without_a_shell(instruction: str) -> None:
    (words,) = re.findall(rf"^{instruction} (.*)$", DOCKERFILE, re.M)
    assert words.startswith("[")


def test_the_image_does_not_run_as_root() -> None:
    assert re.findall(r"^USER (.*)$", DOCKERFILE, re.M)[-1] == "10001:10001"
