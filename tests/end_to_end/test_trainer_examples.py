"""docs/trainer_examples.md: its cells run from top to bottom, in this process."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of Lightning's own

PAGE = (Path(__file__).parents[2] / "docs" / "trainer_examples.md").read_text()
MODULES = ("forest", "vision", "lit")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in MODULES:
        sys.modules.pop(name, None)


def executed() -> dict[str, Any]:
    """The names that the cells have made, and the value of the last line of each but the first."""
    names: dict[str, Any] = {}
    for cell in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        first, _, rest = cell.partition("\n")
        if magic := re.fullmatch(r"%%writefile (\S+)", first):
            Path(magic[1]).write_text(rest)
        else:
            *lines, last = cell.strip().splitlines()
            exec("\n".join(lines), names)
            if not last.startswith("import"):
                names[last.partition(".")[0]] = eval(last, names)
            else:
                exec(last, names)
    return names


def test_examples_of_trainers_run_from_top_to_bottom(folder: Path) -> None:
    names = executed()
    forest, vision, lit = (names[name] for name in MODULES)
    assert list(forest["runs"]) == [2, 2]
    assert 0.5 < forest["f1_mean"][0] < forest["f1_mean"][1] < 1
    assert list(vision["options.network"]) == ["mobilenet_v3_small", "shufflenet_v2_x0_5"]
    assert vision["accuracy_mean"].min() > 5
    assert lit["accuracy_mean"][0] < lit["accuracy_mean"][1]
    assert (lit["loss_mean"] > 0).all()
    kept = sorted(file.stat().st_size for file in folder.glob(".sweep/runs/*/1/file-*"))
    assert len(kept) == 4
    assert kept[0] > 10 * len("0,0,0,0,0,0,0,0,0,0")
