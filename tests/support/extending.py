"""The examples of docs/extending.md, and a laboratory in which they are used together."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()


@dataclass(frozen=True)
class Example:
    """One section of the page.

    Attributes:
        files: text by path; what stands under a line that is a path and a colon.
        blocks: the other blocks of code, with the language that each says.
    """

    files: dict[str, str]
    blocks: list[tuple[str, str]]

    def block(self, language: str, number: int = 0) -> str:
        return [text for said, text in self.blocks if said == language][number]

    @property
    def shown(self) -> list[str]:
        """The lines that are shown to be printed."""
        return self.block("", -1).strip().splitlines()

    @property
    def arguments(self) -> list[str]:
        """Of the command that is shown."""
        return self.block("sh").replace("'", "").split()[1:]

    @property
    def toml(self) -> str:
        """What it needs in pyproject.toml."""
        parts = [text for language, text in self.blocks if language == "toml"]
        return "\n".join([*parts, self.files.get("pyproject.toml", "")])


def _examples() -> dict[str, Example]:
    found = {}
    for section in re.split(r"^## ", PAGE, flags=re.M)[1:]:
        files, blocks = {}, []
        for path, language, text in re.findall(
            r"(?:^`([\w./]+)`:\n\n)?^```(\w*)\n(.*?)^```$", section, re.M | re.S
        ):
            if path:
                files[path] = text
            else:
                blocks.append((language, text))
        found[section.partition("\n")[0]] = Example(files, blocks)
    return found


EXAMPLES = _examples()
"""By heading."""


def write_project(folder: Path) -> None:
    """The package of all examples, ready to be built."""
    (folder / "sweep_example").mkdir(parents=True)
    for example in EXAMPLES.values():
        for path, text in example.files.items():
            if path.startswith("sweep_example/"):
                (folder / path).write_text(text)
    toml = "\n".join(example.toml for example in EXAMPLES.values())
    (folder / "pyproject.toml").write_text(toml)


def write_installed(folder: Path) -> None:
    """The same as an installer leaves it in a folder on Python's path, without waiting for one."""
    write_project(folder)
    points = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    metadata = folder / "sweep_example-1.0.dist-info"
    metadata.mkdir()
    metadata.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: sweep-example\nVersion: 1.0\n"
    )
    metadata.joinpath("entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in points.items()
        )
    )


def write_specs(folder: Path) -> None:
    """The model's spec, plain.yaml, and plankton.yaml, which uses all that a spec can."""
    (folder / "plain.yaml").write_text(EXAMPLES["A model"].files["plain.yaml"])
    parts = [EXAMPLES["A dataset"].files["plankton.yaml"]]
    parts += [EXAMPLES[name].block("yaml") for name in ("An evaluation", "A probe", "A trainer")]
    (folder / "plankton.yaml").write_text("".join(parts))


def write_plankton(data: Path) -> None:
    """Images of three classes, the later ones lighter on average."""
    generator = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, count in (("train", 240), ("test", 60)):
        labels = np.arange(count, dtype=np.int64) % 3
        light = generator.integers(0, 40, (count, 1, 1, 1)) + 12 * labels[:, None, None, None]
        pixels = light + generator.integers(0, 90, (count, 1, 16, 16))
        arrays[f"{part}_images"] = pixels.astype(np.uint8)
        arrays[f"{part}_labels"] = labels
    data.mkdir(parents=True)
    np.savez(data / "plankton.npz", **arrays)
