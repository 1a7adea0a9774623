"""What processes of one run tell each other, and what they see of one that is gone."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import torch

from gang_members import CPU, leave_in_the_middle, say_everything
from gangs import outcomes, together
from trainers.config.job import Member
from trainers.errors import PeerLostError, TrainingStopped
from trainers.parallel.group import Group, joined
from trainers.parallel.rendezvous import connect, listen

SAME, OTHER = "0a" * 32, "0b" * 32


def test_all_hear_what_all_say() -> None:
    found = together(3, say_everything, [SAME, SAME, OTHER])
    assert found == 3 * [
        {
            "gathered": [[1, 0], [2, 1], [3, 2]],
            "sum": [6, 3],
            "any": [False, True, True],
            "bytes": [b"", b"0 is first"],
            "first": [1, 0],
            "differ": [2],
        }
    ]


def test_the_only_process_hears_itself() -> None:
    with joined(None, CPU) as group:
        assert group.gather(torch.ones(2)).tolist() == [[1, 1]]
        assert group.sum(torch.ones(2)).tolist() == [1, 1]
        assert (group.any(False), group.any(True)) == (False, True)
        assert group.from_first(b"data") == b"data"
        assert group.differing(SAME) == []


@pytest.mark.parametrize("how", ["ends", "raises"])
def test_one_that_is_gone_is_noticed_by_the_others_that_wait(how: str) -> None:
    found: list[Any] = outcomes(3, leave_in_the_middle, how)
    assert isinstance(found[0], PeerLostError)
    assert isinstance(found[2], PeerLostError)
    assert found[1] is None if how == "ends" else "something to say" in str(found[1])


def test_one_that_never_comes_is_not_waited_for_without_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainers.parallel.rendezvous.JOINING", timedelta(milliseconds=100))
    address, kept = listen("127.0.0.1")
    with (
        pytest.raises(PeerLostError, match="not all of the 2 processes of this run have met"),
        joined(Member(0, 2, address), CPU),
    ):
        pass
    del kept


def test_a_process_that_loses_the_others_as_they_meet_can_join_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def lost(group: Group, tensor: torch.Tensor) -> torch.Tensor:
        raise PeerLostError("another process of this run is gone")

    monkeypatch.setattr("trainers.parallel.group.await_all", lambda *given: None)
    monkeypatch.setattr(Group, "sum", lost)
    init = torch.distributed.init_process_group
    alone = partial(_of_one, init)
    monkeypatch.setattr("torch.distributed.init_process_group", alone)
    address, kept = listen("127.0.0.1")
    for _ in range(2):
        with pytest.raises(PeerLostError, match="is gone"), joined(Member(0, 2, address), CPU):
            pass
    assert not torch.distributed.is_initialized()
    del kept


@pytest.mark.parametrize(
    ("device", "error", "closes"),
    [
        ("cuda", None, True),
        ("cuda", TrainingStopped("as it waited for storage"), False),
        ("cuda", ValueError("of one rank"), False),
        ("cpu", ValueError("of one rank"), True),
    ],
)
def test_one_that_fails_does_not_wait_for_others_as_nccl_closes(
    monkeypatch: pytest.MonkeyPatch, device: str, error: Exception | None, closes: bool
) -> None:
    closed: list[str] = []
    monkeypatch.setattr("torch.distributed.destroy_process_group", lambda: closed.append(device))
    with pytest.raises(type(error)) if error else nullcontext(), joined(None, CPU) as group:
        group._device, group.process_group = torch.device(device), object()
        if error:
            raise error
    assert closed == [device] * closes


def _of_one(init: Any, backend: str, **given: Any) -> None:
    init(backend, **given | {"world_size": 1})


def test_an_address_where_nobody_listens_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("trainers.parallel.rendezvous.JOINING", timedelta(milliseconds=100))
    with pytest.raises(PeerLostError, match=r"rank 0 cannot be reached at 127\.0\.0\.1:1"):
        connect("127.0.0.1:1")
    with pytest.raises(PeerLostError), joined(Member(1, 2, "127.0.0.1:1"), CPU):
        pass
