"""Runs of trainers whose code was another, in both kinds of database."""

from __future__ import annotations

OLD, NEW = "a" * 64, "b" * 64


def test_done_runs_are_found_by_the_code_of_their_trainer(make, store, queries):
    made = [
        make.run(number, config={"seed": number, "trainer": "fit:train", "source": source})
        for number, source in enumerate((OLD, OLD, NEW, NEW), start=1)
    ]
    make.save(store, "s", made)
    files = {OLD: {"fit.py": "1" * 64}}
    for run in made[:3]:
        make.finish(store, run, provenance={"sources": files, "first_epoch": 1})
    ids = [run.run_id for run in made]
    assert queries.sources_of("fit:train") == [NEW, OLD]
    assert queries.sources_of("other:train") == []
    assert queries.done_among([*ids, "0" * 16]) == set(ids[:3])
    assert queries.done_among([]) == set()
    assert queries.files_of_source(ids[3:] + ids[:1], OLD) == files[OLD]
    assert queries.files_of_source(ids, NEW) is None
