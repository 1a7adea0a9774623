"""Whatever a spec or `--set` holds, reading it ends in a Spec or in one message at one place."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from broken_specs import broken_data, broken_files, broken_overrides, flow
from results.store.store import Store
from saved_specs import save_spec
from sweeper.errors import RequestError, SpecError
from sweeper.planning.cost import CostModel
from sweeper.planning.plan import plan_rows
from sweeper.spec.source import LONGEST_MESSAGE
from sweeper.spec.spec import Spec, load_spec, spec_from_text

BASE = "model: zerosnet\ndepth: 20\ndataset: digits\n"
SOUND = BASE + "grid:\n  seed: [0, 1]\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("specs") / "s.yaml"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path_factory.mktemp('stored')}/results.db") as opened:
        yield opened


def read(file: Path, content: bytes, overrides: tuple[str, ...] = ()) -> Spec | None:
    """The spec, which can be planned; None for an error that is as errors should be."""
    file.write_bytes(content)
    try:
        spec = load_spec(file, overrides)
    except RequestError as error:
        check(error, str(file), content)
        return None
    for row in plan_rows(spec, {}, CostModel({}))[:5]:
        assert math.isfinite(row["estimated_seconds"])
    return spec


def check(error: RequestError, name: str, content: bytes) -> None:
    """One line of bounded length, in front of it a line that the file has, or the override."""
    message = str(error)
    assert error.exit_code == 2
    assert message.isprintable()
    assert len(message) < LONGEST_MESSAGE + 250
    assert "validation error" not in message
    if isinstance(error, SpecError) and error.place.file == name:
        lines = re.split(rb"\r\n?|\n", content.rstrip())
        line, column = error.place.line, error.place.column
        assert line is not None
        assert 1 <= line <= len(lines)
        assert column is not None
        assert 1 <= column <= len(lines[line - 1]) + 1
        assert message.startswith(f"{name}:{line}:{column}: ")
    else:
        assert message.startswith("--set ")


@settings(max_examples=400, deadline=None)
@given(broken_files())
@example(BASE.encode() + b"scheme: {learned: k}\n")
@example(BASE.encode() + b"scheme: {learned: null, alpha: null}\n")
@example(BASE.encode() + b"scheme: {alpha: null}\n")
@example(BASE.encode() + b"scheme: {lambda: 1e-320}\n")
@example(BASE.encode() + b"scheme: {k: 1e-320}\n")
@example(BASE.encode() + b"seed: 0x" + b"f" * 5000)
@example(BASE.encode() + b'name: "\\U00110000"\n')
@example(BASE.encode() + b"...\n%YAML 2.0\n---\n")
@example(b"a:\n  b: 1\n%YAML 2.0\n---\n")
@example(BASE.encode() + b"training: {lr_schedule: {milestones: [1e20]}}\n")
@example(BASE.encode() + b"exclude: [{scheme: {k: 1" + b"0" * 400 + b"}}]\n")
@example(b'\xef\xbb\xbf{model: {"\\ud9')
@pytest.mark.slow
@pytest.mark.long
def test_any_file_is_a_spec_or_one_error_message_with_its_line(file, content):
    read(file, content)


@settings(max_examples=200, deadline=None)
@given(st.lists(broken_overrides(), min_size=1, max_size=3))
@example(["training" + ".a" * 30_000 + "=1"])
@pytest.mark.slow
def test_any_override_gives_a_spec_or_one_error_message(file, overrides):
    read(file, SOUND.encode(), tuple(overrides))


@settings(max_examples=100, deadline=None)
@given(broken_data(), st.lists(broken_overrides(), max_size=1))
@pytest.mark.slow
def test_any_accepted_spec_round_trips_through_the_store(store, data, overrides):
    try:
        spec = spec_from_text(flow(data) + "\n", "s.yaml", overrides)
    except RequestError:
        return
    save_spec(store, spec)
    stored = store.stored_spec(spec.name)
    assert spec_from_text(stored.text, stored.source, stored.overrides) == spec
