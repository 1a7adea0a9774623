"""What is garbage, of runs and attempts in any state."""

from __future__ import annotations

import hashlib
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from results.records import STATES, KeptRun
from sweeper.housekeeping.attempt_files import list_attempts
from sweeper.housekeeping.collecting import find_garbage, remove_files
from sweeper.scheduling.storage_places import Place
from trainers.result_file import store_result
from trainers.storage import open_folder

RUN = "0123456789abcdef"
FILES = ("checkpoint-1.pt", "weights.pt", "result.json", "log-0.txt", "notes.txt", "files.json")
_numbers = count()


@st.composite
def attempts_of_a_run(draw):
    """A run, and the files of its attempts, of which some are damaged, in one or two storages."""
    run = KeptRun(
        RUN,
        draw(st.sampled_from(STATES)),
        draw(st.integers(1, 3)),
        draw(st.booleans()),
        draw(st.sampled_from([(), ("a",)])),
        tuple((number, None) for number in (1, 2, 3)),
    )
    there = {}
    for number in (1, 2, 3, 4):
        for name in draw(st.sets(st.sampled_from(FILES))):
            damaged = draw(st.sampled_from([False, False, True]))
            there[number, name] = (damaged, draw(st.sampled_from([0, 0, 0, 1])))
    return run, there


def write(folder, name: str, damaged: bool) -> None:
    if name == "result.json" and not damaged:
        store_result(folder, {"run_id": RUN})
        return
    folder.write(name, b"content")
    if name.endswith(".pt"):
        digest = hashlib.sha256(b"other" if damaged else b"content").hexdigest()
        folder.write(f"{name}.sha256", digest.encode())


@settings(max_examples=60)
@given(attempts_of_a_run())
def test_nothing_goes_that_is_needed_and_nothing_is_left_that_can_go(made) -> None:
    run, there = made
    here = f"memory://collecting-{next(_numbers)}"
    places = [Place(open_folder(f"{here}/{number}"), True) for number in (0, 1)]
    for (number, name), (damaged, place) in there.items():
        write(places[place].folder.child(RUN).child(str(number)), name, damaged)

    def left() -> set[tuple[int, str]]:
        return {
            (int(path.split("/")[1]), path.split("/")[2])
            for place in places
            for path, _ in place.folder.files()
            if not path.endswith(".sha256")
        }

    before = left()
    assert before == there.keys()
    found = list(find_garbage([run], list_attempts([run], places)))
    for garbage in found:
        remove_files(garbage)
    gone = before - left()

    done, last = run.state == "done", run.attempt
    in_no_sweep = not run.sweeps and run.state != "running"
    valid = {key for key, (damaged, _) in there.items() if not damaged}
    whole = (last, "result.json") in valid and any(
        there[last, "result.json"][1] == place and (not run.has_weights or has)
        for place in (0, 1)
        for has in [(last, "weights.pt") in valid and there[last, "weights.pt"][1] == place]
    )
    expected = set()
    for number, name in before:
        if run.state == "running" or number > last or name == "log-0.txt":
            continue
        lost = done and number < last and whole
        of_none = in_no_sweep and name in ("checkpoint-1.pt", "weights.pt")
        of_done = done and name == "checkpoint-1.pt" and (last, "result.json") in before
        if lost or of_none or of_done:
            expected.add((number, name))
    assert gone == expected
    # Once is enough.
    assert not list(find_garbage([run], list_attempts([run], places)))
    assert {garbage.ends_evaluations for garbage in found} <= {done and in_no_sweep, False}
