"""Reading all images of a folder once, to know what it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from image_files import CLASSES, fill
from trainers.data import image_folder_check
from trainers.data.image_folder_check import checked
from trainers.data.image_folder_listing import Listing, listed


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Listing, Listing]:
    monkeypatch.setattr(image_folder_check, "_IMAGES_A_TURN", 1)
    fill(tmp_path / "bugs")
    return listed(tmp_path / "bugs", CLASSES)


def test_it_tells_that_it_is_at_work_also_where_all_is_known(
    parts: tuple[Listing, Listing],
) -> None:
    found, again = (beats(parts) for _ in range(2))
    assert found == 2 * again == 2 * 90


def beats(parts: tuple[Listing, Listing]) -> int:
    heard: list[None] = []
    checked(parts[0].root, parts, lambda: heard.append(None))
    return len(heard)
