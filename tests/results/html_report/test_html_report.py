from __future__ import annotations

import io
import re
from base64 import b64decode
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pytest
from jinja2 import UndefinedError

from reference_report import report
from results.analysis.pivot import pivot
from results.html_report import html_page
from results.html_report.content import Attempt, CaptionedTable, Figure, Page, Section, StoredSweep
from results.html_report.templating import rendered
from results.records import Failure

VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = "</pre></td><script>alert('x')</script><b> & \"quoted\" {{x}} \x1b[2J"
SHOWN = HOSTILE.replace("\x1b", "\\x1b")

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="30pt" height="20pt">{}</svg>'


class Document(HTMLParser):
    """A page as a browser reads it; fails where it would have to repair what it reads."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], Counter()
        self.declared = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_decl(self, declaration):
        self.declared.append(declaration)

    def handle_starttag(self, tag, attributes):
        assert len(attributes) == len(dict(attributes)), f"{tag} has an attribute twice"
        parents = [name for name, _ in self.open]
        if tag == "p":
            assert "p" not in parents
        if tag in ("tr", "thead", "tbody", "caption"):
            assert parents[-1] in ("table", "thead", "tbody")
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, []))

    def handle_endtag(self, tag):
        assert tag not in VOID
        opened, parts = self.open.pop()
        assert opened == tag
        self.text[tag, "".join(parts)] += 1

    def handle_data(self, data):
        for _, parts in self.open:
            parts.append(data)
        if not self.open:
            assert not data.strip()

    def texts(self, tag):
        return [text for name, text in self.text if name == tag]

    def values(self, attribute):
        return [found[attribute] for _, found in self.tags if attribute in found]


@pytest.fixture(scope="module")
def rows(make):
    return [
        make.row(1, zero_stable=False, root_moduli=[1.84, 0.74, 0.74], test_accuracy=71.4),
        make.row(2, test_accuracy=85.5),
        make.row(3, test_accuracy=86.5, depth=44),
        make.row(4, state="failed", test_accuracy=None),
    ]


def attempt(number, run, **changes):
    facts = {"host": "node-1", "device": "cpu", "torch": "2.10", "git_commit": "ab" * 20}
    facts |= {"pid": 100 + number, "started_at": 5.0 + number, "driver_pid": 7, "gpu": None}
    made = Attempt(run, number, "done", 1_000.0 + number, 2_000.0, None, facts)
    return replace(made, **changes)


@pytest.fixture(scope="module")
def page(rows):
    grouped = report(rows, ["zero_stable"], ["test_accuracy"])
    across = pivot(report(rows, ["zero_stable", "depth"], ["test_accuracy"]),
                   ["zero_stable"], ["depth"])  # fmt: skip
    ids = [row["run_id"] for row in rows]
    return Page(
        title="Zero stability",
        made_at=1_800_000_000.0,
        command="sweep report s --html report.html",
        database="postgresql://lab@db/sweep",
        sweeps=[
            StoredSweep(
                spec={
                    "name": "s",
                    "text": "name: s\n\ngrid: {}\n",
                    "version": 3,
                    "source": "specs/s.yaml",
                    "overrides": ["depth=[32,44]"],
                },
                counts={"done": 3, "failed": 1},
                failures=[Failure(ids[3], "zerosnet, depth 32, seed 4", "out of memory", 2)],
            )
        ],
        sections=[
            Section(
                heading="Report",
                text=["What the networks did."],
                tables=[
                    CaptionedTable("By zero stability", grouped, ["A note."], rows),
                    CaptionedTable("Pivot", across, runs=rows),
                    CaptionedTable("Published", [{"paper": "ZeroSNet", "mean": 93.1}]),
                    CaptionedTable("Empty", []),
                ],
            ),
            Section("Figures", figures=[Figure("Roots", SVG), Figure("Roots again", SVG)]),
        ],
        runs=rows,
        attempts=[
            attempt(1, ids[0]),
            attempt(1, ids[1], provenance={"host": "node-2", "torch": "2.10"}),
            attempt(1, ids[2], state="lost", error="worker lost", started_at=500.0),
            attempt(2, ids[2], provenance={"host": "node-2", "torch": "2.10"}),
        ],
    )


def test_the_html_report_is_one_valid_document(page):
    text = html_page(page)
    assert text.startswith("<!DOCTYPE html>\n<html")
    found = Document(text)
    assert found.declared == ["DOCTYPE html"]
    tags = dict(found.tags)
    assert tags["html"]["lang"] == "en"
    assert found.tags[2] == ("meta", {"charset": "utf-8"})
    assert found.texts("title")[0] == found.texts("h1")[0] == "Zero stability"
    headings = [tag for tag, _ in found.tags if re.fullmatch("h[1-6]", tag)]
    assert headings == ["h1", "h2", "h2", "h2", "h2", "h3", "h2"]
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    links = found.values("href")
    assert links
    for value in links:
        assert value.startswith("#")
        assert value[1:] in ids


def test_the_html_report_loads_no_resources_and_runs_no_script(page):
    found = Document(html_page(page))
    names = {tag for tag, _ in found.tags}
    assert not names & {"script", "link", "svg", "iframe", "object", "embed", "base", "form"}
    attributes = {name for _, attributes in found.tags for name in attributes}
    assert not {name for name in attributes if name.startswith("on")}
    assert not attributes & {"srcset", "action", "data", "background"}
    assert all(source.startswith("data:image/svg+xml;base64,") for source in found.values("src"))
    policy = next(a["content"] for _, a in found.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none';")
    for style in found.texts("style") + found.values("style"):
        assert not re.search(r"@import|url\((?!#)", style)


def test_the_html_report_has_light_dark_and_print_styles(page):
    style = Document(html_page(page)).texts("style")[0]
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    assert dict(Document(html_page(page)).tags)["html"]["lang"] == "en"


def test_html_tables_have_captions_and_header_scopes(page):
    found = Document(html_page(page))
    tables = [tag for tag, _ in found.tags].count("table")
    captions = found.texts("caption")
    assert tables == sum(found.text["caption", caption] for caption in captions)
    assert {"By zero stability", "Pivot", "Published", "Failures"} <= set(captions)
    assert all(a.get("scope") in ("row", "col", "colgroup") for t, a in found.tags if t == "th")
    assert "Empty: nothing to show" in found.texts("p")
    assert "A note." in found.texts("p")
    assert "What the networks did." in found.texts("p")


def test_the_best_pivot_cell_is_a_strong_element(page):
    found = Document(html_page(page))
    assert found.texts("strong") == ["85.50"]


def test_shared_pivot_headers_span_their_columns(make):
    rows = [make.row(n, depth=depth) for n, depth in ((1, 32), (2, 44))]
    made = report(rows, ["scheme", "depth"], ["test_accuracy", "train_accuracy"])
    table = CaptionedTable("t", pivot(made, ["scheme"], ["depth"]))
    found = Document(html_page(bare(sections=[Section("s", tables=[table])])))
    spans = [a.get("colspan") for t, a in found.tags if a.get("scope") == "colgroup"]
    assert spans == ["2", "2"]
    assert [a["rowspan"] for t, a in found.tags if "rowspan" in a] == ["2"]


def bare(**changes):
    empty = Page("t", 0.0, "c", "d", sweeps=[], sections=[], runs=[], attempts=[])
    return replace(empty, **changes)


def test_an_empty_html_report_is_valid():
    found = Document(html_page(bare()))
    assert "Runs by state: none" in found.texts("p")


def test_each_number_links_to_its_runs(page, rows):
    text = html_page(page)
    found = Document(text)
    items = found.texts("li")
    first, second, third = (row["run_id"] for row in rows[:3])
    assert f"zero_stable no: {first}" in items
    assert f"zero_stable yes: {second}, {third}" in items
    assert f"zero_stable yes · depth 44: {third}" in items
    assert {f"run-{row['run_id']}" for row in rows} <= set(found.values("id"))
    open_list = text[: text.index(f'<tr id="run-{first}">')].rindex("<details")
    assert text[open_list:].startswith("<details open>"), "links lead into it"


def test_the_page_says_that_groups_mix_versions_of_code(rows):
    mixed = replace(report(rows, ["depth"], ["test_accuracy"]), code_versions={"source": 2})
    section = Section("s", tables=[CaptionedTable("By depth", mixed)])
    said = Document(html_page(bare(sections=[section]))).texts("p")
    assert "groups mix 2 versions of the trainer's code: add --group-by source" in said


def test_runs_not_in_the_report_are_not_linked(page, rows):
    text = html_page(replace(page, runs=rows[:1]))
    assert f'href="#run-{rows[0]["run_id"]}"' in text
    assert f'href="#run-{rows[1]["run_id"]}"' not in text.split('id="provenance"')[0]


def test_a_table_with_runs_of_another_selection_is_refused(page, rows):
    table = CaptionedTable("t", report(rows, ["depth"], ["test_accuracy"]), runs=rows[1:])
    with pytest.raises(ValueError, match="a group of 2 runs has 1 among the runs given"):
        html_page(replace(page, sections=[Section("s", tables=[table])]))


def test_provenance_groups_attempts_by_host_and_device(page, rows):
    text = html_page(page)
    found = Document(text)
    environments = [i for i in found.values("id") if i.startswith("environment-")]
    assert environments == ["environment-1", "environment-2"]
    cells = found.texts("td")
    assert {"node-1", "node-2", "ab" * 20, "2.10"} <= set(cells)
    third = text[text.index(f'<tr id="run-{rows[2]["run_id"]}"') :].split("</tr>")[0]
    assert '<a href="#environment-2">2</a>' in third, "its last attempt counts"
    assert "worker lost" in cells
    assert "104" not in cells


def test_an_attempt_that_is_running_has_no_end_in_the_html_report(rows):
    running = attempt(1, rows[0]["run_id"], state="running", finished_at=None)
    cells = Document(html_page(bare(runs=rows, attempts=[running]))).texts("td")
    assert {"running", "1970-01-01 00:16:41 UTC"} <= set(cells)
    assert "1970-01-01 00:33:20 UTC" not in cells


def test_runs_are_listed_with_their_options_and_without_empty_columns(make):
    nothing = dict.fromkeys(("model", "scheme", "depth", "dataset", "test_accuracy"))
    runs = [
        make.row(1, **nothing, config={"options": {"net": {"width": 7}, "mode": "fast"}}),
        make.row(2, **nothing, config={"options": {"net": {"width": 9}}}),
    ]
    found = Document(html_page(bare(runs=runs)))
    assert found.texts("th")[-20:][:6] == [
        "run_id", "sweep", "state", "seed", "options.net.width", "options.mode",
    ]  # fmt: skip
    assert {"7", "9", "fast"} <= set(found.texts("td"))
    said = "Columns without any value are left out: model, scheme, depth, dataset, test_accuracy."
    assert said in found.texts("p")
    some = Document(html_page(bare(runs=[*runs, make.row(3)])))
    assert "test_accuracy" in some.texts("th")
    assert not any("left out" in text for text in some.texts("p"))


def test_the_html_report_shows_spec_overrides_command_and_time(page):
    found = Document(html_page(page))
    assert "name: s\n\ngrid: {}\n" in found.texts("pre")
    assert {"depth=[32,44]", "specs/s.yaml", page.command, page.database} <= set(
        found.texts("code")
    )
    assert "2027-01-15 08:00:00 UTC" in found.texts("time")
    assert found.values("datetime") == ["2027-01-15T08:00:00+00:00"]
    assert "out of memory" in found.texts("td")
    assert "specs/s.yaml, version 3" in found.texts("td")


def test_hostile_text_is_escaped_in_the_html_report(page, make):
    row = make.row(9, scheme=HOSTILE, sweep=HOSTILE, dataset=HOSTILE)
    row["evaluations"] = [{"name": HOSTILE + "[1]", "kind": "k", "level": 1.0, "accuracy": 5.0}]
    made = report([row], ["scheme"], [HOSTILE + "[1]"])
    sweep = replace(
        page.sweeps[0],
        spec=page.sweeps[0].spec
        | {
            "name": HOSTILE,
            "text": HOSTILE + "\nsecond: line\r\n",
            "source": HOSTILE,
            "overrides": [HOSTILE],
        },
        failures=[Failure(row["run_id"], HOSTILE, HOSTILE, 1)],
    )
    section = Section(
        HOSTILE,
        [HOSTILE],
        [CaptionedTable(HOSTILE, made, [HOSTILE], [row])],
        [Figure(HOSTILE, SVG)],
    )
    found = Document(
        html_page(
            Page(
                title=HOSTILE,
                made_at=0.0,
                command=HOSTILE,
                database=HOSTILE,
                sweeps=[sweep],
                sections=[section],
                runs=[row],
                attempts=[attempt(1, row["run_id"], error=HOSTILE, provenance={HOSTILE: HOSTILE})],
            )
        )
    )
    tags = Counter(tag for tag, _ in found.tags)
    assert tags["script"] == 0
    assert tags["b"] == 1, "that of the figure's number"
    for tag in ("title", "h1", "h2", "p", "caption", "td", "th", "code", "dd", "a"):
        assert any(text.strip() == SHOWN for text in found.texts(tag)), tag
    assert f"{SHOWN}\nsecond: line\n" in found.texts("pre")
    assert SHOWN in found.values("aria-label")
    assert SHOWN in found.values("alt")
    assert f"Figure 1. {SHOWN}" in found.texts("figcaption")


def images(text):
    found = Document(text)
    start = "data:image/svg+xml;base64,"
    return [
        (a["alt"], b64decode(a["src"].removeprefix(start))) for t, a in found.tags if t == "img"
    ]


def test_figures_are_embedded_images_with_captions(page):
    text = html_page(page)
    assert images(text) == [("Roots", SVG), ("Roots again", SVG)]
    assert {"Figure 1. Roots", "Figure 2. Roots again"} <= set(Document(text).texts("figcaption"))
    assert {"figure-1", "figure-2"} <= set(Document(text).values("id"))


def test_a_matplotlib_svg_is_embedded_unchanged():
    drawing, axes = plt.subplots(figsize=(3, 2))
    axes.plot([1, 2], [3, 1], marker="o", label="a < b & c")
    axes.legend()
    stream = io.BytesIO()
    drawing.savefig(stream, format="svg")
    plt.close(drawing)
    section = Section("s", figures=[Figure("f", stream.getvalue())])
    assert images(html_page(bare(sections=[section]))) == [("f", stream.getvalue())]


@pytest.mark.parametrize(
    "svg",
    [
        b"no svg",
        SVG.replace(b"{}", b"<script>alert(1)</script>"),
        SVG.replace(b"{}", b'<image href="http://example.org/a.png"/>'),
        b'"><script>alert(1)</script><img src="',
        b"\xff\xfe\x00",
    ],
)
def test_an_embedded_svg_cannot_break_out_of_its_image(svg):
    """As an image, a drawing runs no scripts and loads nothing."""
    text = html_page(bare(sections=[Section("s", figures=[Figure("f", svg)])]))
    assert images(text) == [("f", svg)]
    tags = [tag for tag, _ in Document(text).tags]
    assert tags.count("img") == 1
    assert not {"script", "image", "svg"} & set(tags)


def test_an_undefined_template_variable_is_an_error():
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        rendered("base.html")
