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


def test_png_files_have_300_dpi_at_column_width(figure, tmp_path):
    save(figure, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 3.35 * 300
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_svg_files_keep_text_as_text(figure, tmp_path):
    save(figure, tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert "Test accuracy (%)" in texts
    assert "1.00, 0.33, 0.33" in texts


@pytest.mark.slow
def test_pdf_files_embed_truetype_fonts(figure, tmp_path):
    save(figure, tmp_path / "a.pdf")
    content = (tmp_path / "a.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert b"/FontFile2" in content
    assert b"/Type3" not in content


@pytest.mark.parametrize("suffix", FORMATS)
def test_figure_files_contain_no_timestamp(figure, tmp_path, suffix):
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
def test_figures_are_byte_identical_across_processes(networks, tmp_path):
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
def test_unknown_figure_formats_are_refused_before_writing(figure, tmp_path, name):
    with pytest.raises(UnknownFormatError, match="png, svg, pdf"):
        save(figure, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_figure_file_extensions_are_case_insensitive(figure, tmp_path):
    save(figure, tmp_path / "a.PNG")
    Image.open(tmp_path / "a.PNG").close()


def test_markup_in_names_is_escaped_in_svg(networks):
    name = '<script id="x">url(#y)</script>&amp;'
    rows = [*networks.runs(90, model=name), *networks.runs(80, model="b")]
    for row in rows:
        row["dataset"] = name
    root = ElementTree.fromstring(to_bytes(draw("accuracy_by_scheme", rows), "svg"))
    assert not list(root.iter(f"{SVG}script"))
    assert any(name[:12] in (element.text or "") for element in root.iter(f"{SVG}text"))


def test_equal_figures_give_equal_svg_and_others_differ(networks, figure):
    other = draw("accuracy_by_scheme", networks.runs(70, 72))
    assert to_bytes(figure, "svg") == to_bytes(figure, "svg") != to_bytes(other, "svg")


def test_to_bytes_gives_the_bytes_that_save_writes(figure, tmp_path):
    save(figure, tmp_path / "a.png")
    with Image.open(io.BytesIO(to_bytes(figure, "png"))) as image:
        assert image.format == "PNG"
    assert (tmp_path / "a.png").read_bytes() == to_bytes(figure, "png")
