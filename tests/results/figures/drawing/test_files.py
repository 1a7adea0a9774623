from __future__ import annotations

import io
import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from PIL import Image

from results.errors import UnknownFormatError
from results.figures import FORMATS, draw, save
from results.figures.drawing.files import to_bytes

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def figure(networks):
    return draw("accuracy_by_scheme", networks.runs(90, 92))


def test_png_has_300_dots_an_inch_at_a_columns_width(figure, tmp_path):
    save(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 3.35 * 300
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_svg_keeps_text_as_text(figure, tmp_path):
    save(figure, tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "Test accuracy (%)" in texts
    assert "1.00, 0.33, 0.33" in texts


def test_pdf_embeds_its_fonts_as_truetype(figure, tmp_path):
    save(figure, tmp_path / "a.pdf")
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert b"/FontFile2" in content
    assert b"/Type3" not in content


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_hold_no_point_in_time(figure, tmp_path, suffix):
    save(figure, tmp_path / f"a.{suffix}")
    content = (tmp_path / f"a.{suffix}").read_bytes()
    assert b"CreationDate" not in content
    assert b"dc:date" not in content
    assert b"tIME" not in content


PROGRAM = """
import json, sys
from pathlib import Path
from results.figures import draw, save
name, folder = sys.argv[1:]
rows, epochs = json.loads((Path(folder) / "rows.json").read_text())
figure = draw(name, rows, epochs)
for format in ("png", "svg", "pdf"):
    save(figure, Path(folder) / f"{name}.{format}")
"""


@pytest.mark.slow
def test_another_process_draws_the_same_figure_to_the_byte(networks, tmp_path):
    rows = networks.grid(6)
    (tmp_path / "rows.json").write_text(json.dumps([rows, networks.epochs(rows)]))
    name = "accuracy_by_noise"
    subprocess.run([sys.executable, "-c", PROGRAM, name, str(tmp_path)], check=True)
    figure = draw(name, rows, networks.epochs(rows))
    for suffix in FORMATS:
        theirs = (tmp_path / f"{name}.{suffix}").read_bytes()
        save(figure, tmp_path / f"mine.{suffix}")
        assert (tmp_path / f"mine.{suffix}").read_bytes() == theirs
        # Saving changes nothing in the figure.
        save(figure, tmp_path / f"again.{suffix}")
        assert (tmp_path / f"again.{suffix}").read_bytes() == theirs


@pytest.mark.parametrize("name", ["a.jpeg", "a.txt", "a", ".png"])
def test_other_formats_are_refused_before_anything_is_written(figure, tmp_path, name):
    with pytest.raises(UnknownFormatError, match="png, svg, pdf"):
        save(figure, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_the_ending_may_be_in_capitals(figure, tmp_path):
    save(figure, tmp_path / "a.PNG")
    Image.open(tmp_path / "a.PNG").close()


def test_markup_in_names_stays_text_in_an_svg(networks):
    name = '<script id="x">url(#y)</script>&amp;'
    rows = [*networks.runs(90, model=name), *networks.runs(80, model="b")]
    for row in rows:
        row["dataset"] = name
    root = ElementTree.fromstring(to_bytes(draw("accuracy_by_scheme", rows), "svg"))
    assert not list(root.iter(f"{SVG}script"))
    assert any(name[:12] in (element.text or "") for element in root.iter(f"{SVG}text"))


def test_the_same_figure_gives_the_same_svg_and_another_one_another(networks, figure):
    other = draw("accuracy_by_scheme", networks.runs(70, 72))
    assert to_bytes(figure, "svg") == to_bytes(figure, "svg") != to_bytes(other, "svg")


def test_a_stream_of_bytes_is_what_is_saved(figure, tmp_path):
    save(figure, tmp_path / "a.png")
    with Image.open(io.BytesIO(to_bytes(figure, "png"))) as image:
        assert image.format == "PNG"
    assert (tmp_path / "a.png").read_bytes() == to_bytes(figure, "png")
