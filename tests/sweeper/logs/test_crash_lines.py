from __future__ import annotations

from sweeper.logs.crash_lines import last_lines_of

CRASH = """\
about to read address 0
*** SIGSEGV received at time=1796026709 on cpu 0 ***
Fatal Python error: Segmentation fault

Thread 0x00007f16aa7fc6c0 (most recent call first):
  File "threading.py", line 320 in wait

Current thread 0x00007f16ac7fc6c0 (most recent call first):
  File "ctypes/__init__.py", line 519 in string_at
  File "mine.py", line 7 in train
  File "trainers/run.py", line 109 in run
  File "ray_worker.py", line 90 in execute

Extension modules: msgpack._cmsgpack, yaml._yaml (total: 2)"""


def test_of_a_crash_the_error_and_the_most_recent_calls_are_shown() -> None:
    assert last_lines_of(CRASH.splitlines(), 3) == [
        "Fatal Python error: Segmentation fault",
        '  File "ctypes/__init__.py", line 519 in string_at',
        '  File "mine.py", line 7 in train',
    ]


def test_all_of_it_is_shown_where_there_is_room_but_the_modules() -> None:
    assert last_lines_of(CRASH.splitlines(), 20) == CRASH.splitlines()[:-2]


def test_of_other_logs_the_end_is_shown() -> None:
    assert last_lines_of(["one", "two", "three", " ", ""], 2) == ["two", "three"]
    assert last_lines_of(["Fatal Python error: mine", "two", "three"], 2) == ["two", "three"]
    assert last_lines_of([], 2) == []
