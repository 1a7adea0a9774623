"""A figure as an SVG element for a page that holds several."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from results.figures.drawing.files import to_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_REFERENCE = re.compile(r"url\(#")


def svg_text(figure: Figure) -> str:
    """The figure as one <svg> element, to be put into an HTML page as it is.

    All its ids start with a hash of its content and its style rules hold for it alone, so that
    figures on one page do not mix. Text is text; a screen reader gets the figure's title.
    """
    document = to_bytes(figure, "svg")
    prefix = f"f{hashlib.sha256(document).hexdigest()[:12]}"
    root = ElementTree.fromstring(document)
    for metadata in root.findall(f"{_SVG}metadata"):
        root.remove(metadata)
    for element in root.iter():
        _adopt(element, prefix)
    root.set("xmlns", _SVG.strip("{}"))
    root.set("class", prefix)
    root.set("role", "img")
    root.set("aria-label", str(figure.get_label()))
    return ElementTree.tostring(root, encoding="unicode")


def _adopt(element: ElementTree.Element, prefix: str) -> None:
    """Plain names as in HTML, ids that no other figure has, style for this figure alone."""
    element.tag = element.tag.removeprefix(_SVG)
    if element.tag == "style":
        # Matplotlib's one rule is for "*", which would be the whole page.
        element.text = f".{prefix} {(element.text or '').strip()}"
    for name in list(element.attrib):
        value = element.attrib.pop(name)
        plain = name.removeprefix(_XLINK)
        if plain == "id":
            value = f"{prefix}-{value}"
        elif plain == "href" and value.startswith("#"):
            value = f"#{prefix}-{value[1:]}"
        else:
            value = _REFERENCE.sub(f"url(#{prefix}-", value)
        element.set(plain, value)
