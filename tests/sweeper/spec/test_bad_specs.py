"""Every way to get a spec wrong ends in one message with file, line, column and a way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sweeper.spec.exclusions
import sweeper.spec.grid
import sweeper.spec.run_configs
import sweeper.spec.spec
from sweeper import cli
from sweeper.errors import SpecError
from sweeper.spec.spec import load_spec, spec_from_text
from wrong_specs import BASE, THOUSAND, WRONG


@pytest.mark.parametrize("case", WRONG)
def test_spec_errors_have_place_value_and_fix(case, tmp_path, monkeypatch, capsys):
    content, (line, column), fragments = WRONG[case]
    path, home = tmp_path / "wrong.yaml", tmp_path / "home"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    arguments = ["sweep", "run", str(path), "--executor", "inline", "--home", str(home)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: {path}:{line}:{column}: "), err
    assert err.count("\n") == 1
    assert len(err) < len(str(path)) + 550
    for fragment in fragments:
        assert fragment in err
    assert "Traceback" not in err
    assert not home.exists()


def test_an_enormous_grid_is_refused_before_any_point_is_made(monkeypatch):
    def resolve(*_, own):
        raise AssertionError("a point was resolved")

    monkeypatch.setattr(sweeper.spec.spec, "resolve", resolve)
    with pytest.raises(AssertionError):
        spec_from_text(BASE, "s.yaml")
    with pytest.raises(SpecError, match="1,000,000,000 points"):
        spec_from_text(WRONG["too many points"][0], "s.yaml")


@pytest.fixture
def resolved(monkeypatch):
    """The points that were resolved so far."""
    points = []

    def counted(point, own):
        points.append(point)
        return resolve(point, own)

    resolve = sweeper.spec.run_configs.resolve
    monkeypatch.setattr(sweeper.spec.spec, "resolve", counted)
    return points


def test_a_wrong_value_is_found_without_expanding_the_whole_grid(resolved):
    with pytest.raises(SpecError, match="depth 33 is not 6n"):
        spec_from_text(WRONG["a wrong value behind 100,000 points"][0], "s.yaml")
    assert len(resolved) == 2
    resolved.clear()
    with pytest.raises(SpecError, match=r"include\.0\.|seed: -1"):
        spec_from_text(f"{BASE}grid: {{seed: [{THOUSAND}]}}\ninclude: [{{seed: -1}}]\n", "s.yaml")
    assert len(resolved) == 1


def test_an_exclude_is_compared_once_for_equivalent_points(resolved):
    with pytest.raises(SpecError, match="matches no point"):
        spec_from_text(WRONG["an unused exclude behind 1,000 points"][0], "s.yaml")
    assert len(resolved) == 1 + 1  # the thousand differ in their seed alone


def test_a_long_value_is_truncated_in_a_spec_error():
    with pytest.raises(SpecError) as caught:
        spec_from_text(BASE + f"precision: {'x' * 5000}\n", "s.yaml")
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("case", ["depth not 6n+2", "unknown key", "not YAML", "python object"])
def test_a_spec_error_is_one_line_and_writes_nothing(case, tmp_path):
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


@pytest.mark.slow
def test_a_missing_spec_error_lists_the_specs_in_its_folder(tmp_path):
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
def test_bytes_that_are_no_spec_are_refused_with_a_place(content, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(f"{path}:")


def test_a_wrong_value_in_exclude_is_told_though_its_seed_matches_no_point():
    text = f"{BASE}grid: {{seed: [0, 1]}}\nexclude:\n  - {{training.optimizer.lr: fast, seed: 7}}\n"
    with pytest.raises(SpecError, match=r"training\.optimizer\.lr: 'fast' is not a number"):
        spec_from_text(text, "s.yaml")
