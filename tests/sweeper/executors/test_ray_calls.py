"""Calls to Ray end, whatever Ray does, and signals are heard during them."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sweeper.errors import Interrupted, ResourceError
from sweeper.executors import ray_calls
from sweeper.executors.ray_calls import NOT_FOR_WORKERS, RayCalls, unreachable


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> RayCalls:
    monkeypatch.setattr(ray_calls, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(ray_calls, "SILENT_SECONDS", 0.05)
    return RayCalls("start it again")


@pytest.fixture
def never() -> Iterator[Any]:
    """Waits until the test is over."""
    over = threading.Event()
    yield over.wait
    over.set()


@pytest.fixture
def listening() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def fails() -> None:
    raise KeyError("an error of Ray")


def test_a_call_returns_or_raises_what_ray_does(calls: RayCalls) -> None:
    assert calls(lambda: 7) == 7
    with pytest.raises(KeyError, match="an error of Ray"):
        calls(fails)
    assert calls(lambda: threading.current_thread().name) == "ray"
    assert not calls.lost


def test_processes_of_ray_see_no_signal_that_the_driver_answers(calls: RayCalls) -> None:
    blocked = calls(lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    assert blocked >= NOT_FOR_WORKERS


def test_a_call_without_an_answer_ends_and_is_the_last(calls: RayCalls, never: Any) -> None:
    with pytest.raises(ResourceError, match=r"^Ray has not answered for \d+ s; .*start it again$"):
        calls(never, seconds=0.1)
    assert calls.lost
    with pytest.raises(ResourceError, match="does not answer"):
        calls(lambda: 7)


def test_a_head_that_is_gone_is_noticed_long_before_the_deadline(
    calls: RayCalls, never: Any
) -> None:
    calls.head = "127.0.0.1", free_port()
    with pytest.raises(ResourceError, match=rf"127.0.0.1:{calls.head[1]} is gone \(Connection ref"):
        calls(never, seconds=60)


def test_a_slow_answer_of_a_head_that_is_there_is_waited_for(
    calls: RayCalls, listening: tuple[str, int]
) -> None:
    calls.head = listening
    assert calls(lambda: threading.Event().wait(0.3) or 7, seconds=60) == 7


def test_time_in_which_the_driver_was_suspended_does_not_count(
    calls: RayCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = iter(range(0, 10**9, 3600))
    monkeypatch.setattr("sweeper.executors.ray_calls.time.monotonic", lambda: float(next(hours)))
    assert calls(lambda: threading.Event().wait(0.1) or 7, seconds=600) == 7


def test_a_request_to_stop_ends_the_wait(calls: RayCalls, never: Any) -> None:
    with pytest.raises(Interrupted):
        calls(never, stop_asked=lambda: True)
    assert calls.lost


def test_a_signal_is_heard_while_ray_does_not_answer(calls: RayCalls, never: Any) -> None:
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        with pytest.raises(KeyboardInterrupt):
            calls(never, seconds=60)
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("port", [0, 99_999, -1])
def test_ports_that_none_listens_at_are_no_defect(port: int) -> None:
    assert unreachable("127.0.0.1", port)
    assert unreachable("no-such-host.invalid", 80)
