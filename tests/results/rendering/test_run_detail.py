from __future__ import annotations

import re

import pytest

from results.rendering.run_detail import run_page

RUN = f"{1:016x}"


@pytest.fixture
def url(sqlite_url):
    return sqlite_url


@pytest.fixture
def page(store, queries, make):
    """The page of a run with this result."""

    def render(**result):
        make.save(store, "s", [make.run(1)])
        make.finish(store, make.run(1), **result)
        return run_page(queries.run_detail(RUN)).splitlines()

    return render


def test_the_lines_with_times_fit_a_terminal(page):
    lines = page()
    (attempt,) = (line for line in lines if line.startswith("attempt 1: done, "))
    (spec,) = (line for line in lines if line.startswith("sweep s asks for it: version 1 of "))
    moment = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"
    assert re.fullmatch(f"attempt 1: done, {moment} to {moment}", attempt)
    assert re.search(f", {moment}$", spec)
    assert len(attempt) <= 80


def test_probes_of_many_layers_are_shown_by_their_range(page, make):
    probes = [
        make.probe(quantity, layer=f"block{layer}", value=value and value * layer)
        for quantity, value in (("norm", 0.5), ("cosine", None))
        for layer in range(1, 31)
    ]
    probes.append(make.probe("loss", layer="", value=2.0))
    lines = [" ".join(line.split()) for line in page(probes=probes)]
    assert "feature_norms norm 1 30 layers 0.5 to 15" in lines
    assert "feature_norms cosine 1 30 layers -" in lines
    assert "feature_norms loss 1 - 2" in lines
    assert "all of them: --format json" in lines


def test_probes_that_are_all_shown_refer_to_no_other_output(page, make):
    lines = page(probes=[make.probe(layer="block1"), make.probe(layer="block2")])
    assert "probes (of the last epoch; 2 values in all)" in lines
    assert not any("all of them" in line for line in lines)


def test_an_attempt_continued_from_a_checkpoint_says_at_which_epoch(page):
    assert "  went on at epoch 2 from a checkpoint" in page(provenance={"first_epoch": 2})


def test_an_attempt_from_the_start_mentions_no_checkpoint(page):
    assert not any("checkpoint" in line for line in page(provenance={"first_epoch": 1}))


def test_errors_and_tracebacks_without_an_end_are_cut(store, queries, make, plain):
    make.save(store, "s", [make.run(1)])
    store.claim(RUN, provenance={})
    store.fail(RUN, 1, "first", "Traceback of it")
    with plain.begin() as connection:  # as a version without bounds has stored it
        connection.exec_driver_sql("UPDATE runs SET error = hex(zeroblob(1000000))")
        connection.exec_driver_sql(
            "UPDATE attempts SET error = hex(zeroblob(1000000)), traceback = hex(zeroblob(1000000))"
        )
    page = run_page(queries.run_detail(RUN))
    assert page.count("characters ...]") == 3
    assert len(page) < 110_000
    (status,) = queries.status("s")
    assert len(status.failures[0].error) < 2_100


def test_packages_are_shown_on_lines_that_end_between_two(page):
    packages = {f"package{number}": f"{number}.0.1" for number in range(20)}
    lines = page(provenance={"first_epoch": 1, "packages": packages})
    start = next(i for i, line in enumerate(lines) if line.startswith("  packages"))
    told = [line for line in lines[start:] if "package" in line]
    assert len(told) > 3
    assert all(len(line) <= 80 for line in told)
    assert " ".join("".join(told).split()).replace("packages ", "", 1) == ", ".join(
        f"{name} {version}" for name, version in packages.items()
    )
