"""What is said of a process that Ray has lost, without Ray."""

from __future__ import annotations

from ray.exceptions import RayError, RayTaskError

from sweeper.executors.ray_process import reason


def test_what_a_process_raised_is_said_as_it_said_it() -> None:
    raised = RayTaskError("listen", "its traceback", OSError("no port can be opened\nbelow"))
    assert reason(raised) == "OSError: no port can be opened"
    assert reason(raised.as_instanceof_cause()) == "OSError: no port can be opened"


def test_an_error_without_words_is_one_all_the_same() -> None:
    assert reason(RayError()) == "RayError: no reason"
