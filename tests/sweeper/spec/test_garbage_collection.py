"""The search for cyclic garbage is only put off."""

from __future__ import annotations

import gc

import pytest

from sweeper.spec.spec import no_search_for_cycles


def test_it_is_off_inside_and_as_before_afterwards() -> None:
    assert gc.isenabled()
    with no_search_for_cycles():
        assert not gc.isenabled()
        with no_search_for_cycles():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_an_error_does_not_leave_it_off() -> None:
    with pytest.raises(ValueError, match="bad"), no_search_for_cycles():
        raise ValueError("bad")
    assert gc.isenabled()
