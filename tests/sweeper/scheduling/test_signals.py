from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from sweeper.scheduling.signals import (
    ENDING,
    StopRequest,
    ignore_requests_to_stop,
    take_ending_as_control_c,
)


@pytest.fixture(autouse=True)
def _handlers_are_put_back():
    numbers = (signal.SIGINT, signal.SIGALRM, *ENDING)
    before = {number: signal.getsignal(number) for number in numbers}
    hook = sys.unraisablehook
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and stays so
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    sys.unraisablehook = hook


def test_what_announces_an_end_is_known():
    assert set(ENDING) == {signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}


@pytest.mark.parametrize("number", ENDING)
def test_each_of_them_asks_and_leaves_the_grace_period(number, capfd, monkeypatch):
    started = []
    monkeypatch.setattr(signal, "setitimer", lambda timer, seconds: started.append(seconds))
    monkeypatch.setattr(signal, "getitimer", lambda timer: (sum(started), 0.0))
    stop = StopRequest(grace=1000)
    with stop.listening():
        signal.raise_signal(number)
        signal.raise_signal(number)
        assert stop.asked
    assert started == [1000, 0]
    assert capfd.readouterr().err.count("stopping when the current epochs are done") == 1


def test_a_second_control_c_stops_at_once_whatever_asked_first():
    with StopRequest(grace=250).listening():
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_end_of_the_grace_period_stops_at_once():
    with StopRequest(grace=250).listening():
        signal.raise_signal(signal.SIGUSR1)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGALRM)


def test_nohup_is_respected():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    take_ending_as_control_c()
    stop = StopRequest(grace=1000)
    with stop.listening():
        signal.raise_signal(signal.SIGHUP)
    assert not stop.asked
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


@pytest.mark.parametrize("number", ENDING)
def test_outside_of_a_sweep_each_of_them_is_as_control_c(number):
    take_ending_as_control_c()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


class SignalledAtItsEnd:
    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        signal.raise_signal(self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, *ENDING])
def test_a_signal_during_a_destructor_is_not_lost(number, capfd):
    signal.signal(signal.SIGINT, signal.default_int_handler)
    take_ending_as_control_c()

    def interrupted():
        SignalledAtItsEnd(number)
        time.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert capfd.readouterr().err == ""


def test_what_else_a_destructor_raises_is_told_as_before():
    told = []
    sys.unraisablehook = told.append
    take_ending_as_control_c()
    SignalledAtItsEnd(number=-1)
    assert [ignored.exc_type for ignored in told] == [OSError]


def test_requests_to_stop_a_process_that_ends_are_ignored():
    ignore_requests_to_stop()
    for number in (signal.SIGINT, *ENDING):
        signal.raise_signal(number)


def test_a_forked_child_ends_of_the_signal():
    stop = StopRequest(grace=1000)
    with stop.listening():
        child = os.fork()
        if child == 0:
            signal.raise_signal(signal.SIGTERM)
            os._exit(0)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM
    assert not stop.asked


def test_without_grace_the_stop_is_asked_for_before_it_comes(capfd, monkeypatch):
    stop = StopRequest(grace=0)
    at_once = []
    monkeypatch.setattr(signal, "getitimer", lambda timer: (0.0, 0.0))
    monkeypatch.setattr(signal, "setitimer", lambda *timer: at_once.append(stop.asked))
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)
    assert at_once[0]
