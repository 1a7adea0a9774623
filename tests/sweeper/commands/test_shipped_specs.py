"""`sweep specs`, `sweep init`, and specs by name, as the command line does them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweeper.cli import app
from sweeper.errors import RequestError
from sweeper.spec import shipped
from sweeper.spec.shipped import shipped_specs
from sweeper.spec.spec import load_spec

ROOT = Path(__file__).parents[3]
OWN = "name: mine\nmodel: zerosnet\ndataset: digits\ndepth: 8\nscheme: {lambda: 10}\nseed: 0\n"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def sweep(*arguments: str) -> None:
    app(list(arguments), standalone_mode=False)


def test_the_repositorys_specs_are_the_shipped_ones():
    assert list(shipped_specs()) == sorted(path.stem for path in (ROOT / "specs").glob("*.yaml"))


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_specs_are_named_after_their_file_and_described_in_one_line(name):
    spec = load_spec(shipped_specs()[name])
    assert spec.name == name
    assert spec.description
    assert "\n" not in spec.description


def test_specs_lists_what_each_spec_needs(capsys):
    sweep("specs", "--format", "json")
    listed = {spec["name"]: spec for spec in json.loads(capsys.readouterr().out)}
    assert listed["zero_stability_table3"] == {
        "name": "zero_stability_table3",
        "runs": 90,
        "datasets": "cifar10",
        "gpus": 0.25,
        "description": "Third-order schemes at three depths on CIFAR-10 (ZeroSNet, Table 3)",
    }
    assert listed["comparison_table4"]["datasets"] == "cifar10, cifar100"


@pytest.mark.parametrize("command", [["specs"], ["init", "here"]])
def test_an_installation_without_specs_says_so(command, monkeypatch, tmp_path, capsys):
    # What git makes of a symbolic link where it makes none.
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path / "specs")
    assert app(command, standalone_mode=False) == 3
    assert "a checkout without symbolic links" in capsys.readouterr().err
    assert not (tmp_path / "here").exists()


def test_a_shipped_spec_is_found_by_its_name():
    found = load_spec(Path("zero_stability_table3"))
    assert found.configs == load_spec(ROOT / "specs" / "zero_stability_table3.yaml").configs
    assert (found.name, found.source) == (
        "zero_stability_table3",
        "zero_stability_table3.yaml (shipped)",
    )


def test_an_error_in_an_override_of_a_shipped_spec_names_its_place():
    with pytest.raises(RequestError, match=r"depth"):
        load_spec(Path("quickstart"), ["depth=33"])


def test_a_local_file_wins_over_a_shipped_spec_of_its_name():
    Path("quickstart").write_text(OWN)
    assert load_spec(Path("quickstart")).name == "mine"


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_spec():
    Path("quickstart").mkdir()
    assert load_spec(Path("quickstart")).name == "quickstart"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("quickstrat", "quickstrat: there is no such file; did you mean quickstart? sweep specs "),
        ("nothing_like_it", "nothing_like_it: there is no such file; sweep specs lists the names"),
        ("specs/quickstart.yaml", "quickstart is a shipped spec: name it so, or "),
        ("quickstart.yaml", "quickstart is a shipped spec: name it so, or "),
        ("mine.yaml", r"mine\.yaml: there is no such file$"),
    ],
)
def test_a_missing_spec_error_suggests_similar_shipped_specs(path, says):
    with pytest.raises(RequestError, match=says.replace("?", r"\?")):
        load_spec(Path(path))


def test_init_writes_every_spec_and_names_the_next_command(capsys):
    sweep("init", "a folder/here")
    here = Path("a folder/here")
    assert {path.name: path.read_bytes() for path in here.iterdir()} == {
        path.name: path.read_bytes() for path in (ROOT / "specs").glob("*.yaml")
    }
    said = capsys.readouterr().err.splitlines()
    assert said == [
        f"a folder/here: specs written: {len(shipped_specs())}; there already: 0",
        "next: sweep plan 'a folder/here/quickstart.yaml'",
    ]


def test_init_overwrites_no_file(capsys):
    sweep("init", "here")
    mine, missing = Path("here/quickstart.yaml"), Path("here/tm_resnet.yaml")
    mine.write_text(OWN)
    missing.unlink()
    before = Path("here/lambda_line.yaml").stat().st_mtime_ns
    capsys.readouterr()
    sweep("init", "here")
    assert mine.read_text() == OWN
    assert missing.read_bytes() == (ROOT / "specs" / "tm_resnet.yaml").read_bytes()
    assert Path("here/lambda_line.yaml").stat().st_mtime_ns == before
    first, second, _ = capsys.readouterr().err.splitlines()
    assert first == f"here: specs written: 1; there already: {len(shipped_specs()) - 2}"
    assert second == "left as they are, though they differ from the shipped ones: quickstart.yaml"


def test_init_follows_no_link_out_of_its_folder():
    Path("here").mkdir()
    Path("here/quickstart.yaml").symlink_to(Path("elsewhere.yaml").absolute())
    sweep("init", "here")
    assert not Path("elsewhere.yaml").exists()


def test_init_into_a_file_is_an_error(capsys):
    Path("here").write_text("")
    assert app(["init", "here"], standalone_mode=False) == 2
    assert capsys.readouterr().err == "error: here cannot be written: File exists\n"
