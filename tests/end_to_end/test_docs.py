"""What the documents say is checked: commands, options, links, file names, examples."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sweeper.settings.file import read_settings
from sweeper.settings.names import DEFAULTS
from sweeper.spec import run_configs, source, spec
from sweeper.spec.fault_policies import Hung
from sweeper.spec.spec import load_spec, spec_from_text
from trainers.config.evaluations import parse_evaluation
from trainers.config.run import RunConfig
from trainers.methods.scheme_config import SchemeConfig
from trainers.models import MODELS

ROOT = Path(__file__).parents[2]
SWEEP = str(Path(sys.executable).parent / "sweep")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SPECS_PAGE = (ROOT / "docs" / "specs.md").read_text()
MODELS_PAGE = (ROOT / "docs" / "models.md").read_text()


def commands() -> list[str]:
    """Every `sweep ...` line that a document shows to be typed."""
    found = []
    for document in DOCUMENTS:
        found += re.findall(
            r"^(?:    |\$ )(?:\.venv/bin/)?(sweep [a-z].*)$", document.read_text(), re.M
        )
    return sorted({line.split("  #")[0].strip() for line in found})


@cache
def help_of(command: str) -> str:
    done = subprocess.run([SWEEP, command, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"there is no command {command}"
    return done.stdout


def test_the_docs_show_enough_commands() -> None:
    assert len(commands()) >= 4


@pytest.mark.parametrize("line", commands())
def test_documented_commands_and_options_exist(line: str) -> None:
    _, command, *words = line.split()
    for word in words:
        if word.startswith("--"):
            assert word in help_of(command).split(), f"{word} of: {line}"
        if word.endswith(".yaml"):
            assert (ROOT / word).is_file()


def test_documented_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for document in DOCUMENTS:
        for target in re.findall(r"(?:^    |`)make ([a-z-]+)", document.read_text(), re.M):
            assert target in targets


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_in_the_docs_have_targets(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


def test_every_page_is_in_the_list_of_pages() -> None:
    pages = (ROOT / "docs" / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "README.md" or f"]({page.name})" in pages, page.name


def test_the_file_tree_in_the_readme_matches_the_repository() -> None:
    tree = (ROOT / "README.md").read_text().split("```")[-2]
    folder, named = "", set()
    for line in tree.strip().splitlines():
        text = line.strip()
        if not line.startswith(" "):
            folder = text.split()[0]
            assert (ROOT / folder).exists(), folder
            continue
        for name in re.findall(r"[a-z_]+(?:\.py|/)(?= |$)", text):
            assert any((ROOT / folder).rglob(name.rstrip("/"))), folder + name
            named.add(folder + name)
    for package in ("sweeper", "trainers", "results"):
        for path in (ROOT / package).glob("[a-z]*"):
            if path.suffix not in ("", ".py") or path.is_symlink():
                continue
            name = f"{package}/{path.name}{'' if path.suffix else '/'}"
            assert name in named, name


def test_the_annotated_spec_in_the_docs_is_valid() -> None:
    block = re.findall(r"```yaml\n(.*?)```", SPECS_PAGE, re.S)[0]
    spec = spec_from_text(block, "docs/specs.md")
    assert len(spec.configs) == 1


def test_the_documented_axes_example_gives_the_stated_runs() -> None:
    block = re.findall(r"```yaml\n(.*?)```", SPECS_PAGE, re.S)[1]
    base = "model: preresnet\ndataset: digits\n"
    whole = spec_from_text(base + block.split("exclude:")[0], "docs/specs.md")
    assert len(whole.configs) == 2 * 3 * 2 * 2
    # Without two of three rates at one of two depths, and with one point more.
    spec = spec_from_text(base + block, "docs/specs.md")
    assert len(spec.configs) == 24 - 2 * 2 * 2 + 1


def test_the_documented_spec_that_extends_another_is_what_it_says() -> None:
    section = SPECS_PAGE.split("## Extending other specs\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```yaml\n(.*?)```", section, re.S)
    short, table = spec_from_text(block, "short.yaml"), load_spec(Path("zero_stability_table3"))
    assert short.name == "short"
    assert {config.seed for config in short.configs} == {0, 1}
    first, other = short.configs[0].training, table.configs[0].training
    assert (first.epochs, first.batch_size) == (10, other.batch_size)
    assert first.optimizer == other.optimizer
    assert len(short.configs) * 3 == len(table.configs) * 2


def test_the_documented_settings_file_is_valid(tmp_path: Path) -> None:
    section = SPECS_PAGE.split("## sweep.toml\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```toml\n(.*?)```", section, re.S)
    (tmp_path / "sweep.toml").write_text(block)
    found = read_settings(tmp_path / "sweep.toml")
    assert found.values.keys() == DEFAULTS.keys()
    assert found.resources is not None


def test_the_documented_image_folder_example_is_valid() -> None:
    section = SPECS_PAGE.split("## Datasets\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"```yaml\n(.*?)```", section, re.S)
    text = f"model: preresnet\ndepth: 20\n{block}"
    (config,) = spec_from_text(text, "docs/specs.md").configs
    assert isinstance(config, RunConfig)
    assert config.train_images == 20000
    with_defaults = text.replace("  mean: 0.5", "#").replace("  std: 0.5", "#")
    assert spec_from_text(with_defaults, "docs/specs.md").configs == (config,)


def table_of(heading: str) -> list[Any]:
    """The `{...}` examples in the first column of a section's table, read as YAML."""
    section = SPECS_PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    examples = re.findall(r"^\| `(\{.*?\})`", section, re.M)
    assert len(examples) >= 3
    return [
        YAML(typ="safe").load(example.replace("...", "1").replace(": b", ": 1"))
        for example in examples
    ]


def test_documented_schemes_are_valid() -> None:
    for example in table_of("Schemes"):
        assert SchemeConfig.model_validate(example).steps >= 1


def test_documented_evaluations_are_valid() -> None:
    for example in table_of("Evaluations"):
        assert parse_evaluation(example).name


def test_every_model_is_documented_with_its_default_scheme() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", MODELS_PAGE.split("## ")[0], re.M)
    assert sorted(name for name, _ in rows) == sorted(MODELS)
    for name, written in rows:
        default = MODELS[name].default_scheme
        if default is None:
            assert written == "none"
        else:
            stated = SchemeConfig.model_validate(YAML(typ="safe").load(written.strip("`")))
            assert stated == SchemeConfig.model_validate(default)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_option_is_documented(name: str) -> None:
    (section,) = (
        text for text in MODELS_PAGE.split("\n## ")[1:] if name in text.splitlines()[0].split(", ")
    )
    explained = set(re.findall(r"`(\w+)`", section))
    assert set(MODELS[name].options.model_fields) - {"name"} <= explained


def test_documented_spec_limits_match_the_code() -> None:
    limits = SPECS_PAGE.split("## Limits")[1]
    for number, what in (
        (source.LARGEST_FILE, "bytes"),
        (source.MOST_VALUES, "keys and values"),
        (source.DEEPEST_NESTING, "levels"),
        (spec.MOST_RUNS, "runs"),
        (run_configs.DEEPEST_NETWORK, "layers"),
    ):
        assert f"{number:,} {what}" in " ".join(limits.split())
    least = Hung.model_json_schema()["properties"]["seconds"]["minimum"]
    assert f"`hung.seconds` is at least {least:g}" in limits
