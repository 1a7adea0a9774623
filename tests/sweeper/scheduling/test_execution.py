"""What is told at the end of a sweep."""

from __future__ import annotations

from results.records import STATES, SweepChange
from sweeper.scheduling.execution import _summarize
from sweeper.scheduling.summary import Summary
from sweeper.spec.spec import spec_from_text

SPEC = spec_from_text(
    "name: s\nmodel: zerosnet\ndataset: digits\ndepth: 8\ngrid: {seed: [0, 1, 2]}\n", "s.yaml"
)


def told(removed: int, left_out: list[str], **counts: int) -> list[str]:
    change = SweepChange(
        added=3, already_known=0, removed=removed, requeued=0, spec_version=1, spec_changed=True
    )
    summary = Summary(change, trained=2, unmeasured=removed, left_out=left_out)
    sentences: list[str] = []
    every = dict.fromkeys(STATES, 0) | counts
    _summarize(SPEC, summary, every, 0, " --home lab", sentences.append)
    return sentences


def test_one_is_counted_as_one_and_every_command_finds_the_home() -> None:
    assert told(1, ["12ab", "34cd"], done=2, failed=1) == [
        "s: 2 of 3 runs done (2 trained now)",
        "1 finished run could not be evaluated; the lines above say why",
        "2 runs did not keep all of job.files: `sweep files 12ab --home lab` says why",
        "1 run left the sweep; its results stay",
        "1 run failed: `sweep status s --home lab` says why; `sweep retry s --home lab` queues it"
        " again",
        "ask it: sweep report s --group-by zero_stable --home lab",
    ]
    assert "2 runs left the sweep; their results stay" in told(2, [], done=2)
