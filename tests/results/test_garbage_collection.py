"""The search for cyclic garbage is only put off."""

from __future__ import annotations

import gc

import pytest

from results.garbage_collection import without_cycle_collection


def test_garbage_collection_is_off_inside_the_block_and_restored_after() -> None:
    assert gc.isenabled()
    with without_cycle_collection():
        assert not gc.isenabled()
        with without_cycle_collection():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_garbage_collection_is_restored_after_an_error_in_the_block() -> None:
    with pytest.raises(ValueError, match="bad"), without_cycle_collection():
        raise ValueError("bad")
    assert gc.isenabled()
