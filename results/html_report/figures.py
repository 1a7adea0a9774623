"""SVG documents as part of the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from results.html_report.content import Figure
from results.html_report.elements import element

_SVG = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"
_REFERENCE = re.compile(r"url\(\s*(['\"]?)#([^'\")]+)\1\s*\)")


def figure_element(figure: Figure, number: int) -> ElementTree.Element:
    """The figure with its caption, on white, as figures are drawn for paper.

    Ids inside the drawing get the figure's number, so that those of two drawings cannot clash.
    Raises ValueError if the SVG cannot be read, or would run a script or load something.
    """
    try:
        root = ElementTree.fromstring(figure.svg)
    except ElementTree.ParseError as error:
        raise ValueError(f"figure {figure.caption!r} is no SVG: {error}") from error
    if root.tag != f"{_SVG}svg":
        raise ValueError(f"figure {figure.caption!r} is no SVG: its root is {root.tag!r}")
    prefix = f"figure-{number}-"
    _adopt(root, prefix, figure.caption)
    title = element("title", figure.caption, id=f"{prefix}title")
    root.insert(0, title)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}title")
    caption = element("figcaption", element("b", f"Figure {number}."), f" {figure.caption}")
    return element("figure", element("div", root), caption, id=f"figure-{number}")


def _adopt(node: ElementTree.Element, prefix: str, caption: str) -> None:
    """Makes the tree one that HTML can hold: no namespaces, ids of its own, nothing active."""
    for child in list(node):
        # Comments have no tag; metadata and titles are for programs that hold SVG files.
        known = isinstance(child.tag, str) and child.tag.startswith(_SVG)
        if not known or child.tag in (f"{_SVG}metadata", f"{_SVG}title"):
            node.remove(child)
        else:
            _adopt(child, prefix, caption)
    node.tag = node.tag.removeprefix(_SVG)
    if node.tag in ("script", "foreignObject") or (node.tag == "style" and _loads(node.text)):
        raise ValueError(f"figure {caption!r} has a {node.tag!r} element that is not for a page")
    for name in list(node.attrib):
        value = node.attrib.pop(name)
        plain = name.removeprefix(_XLINK)
        if plain.startswith("{"):
            continue  # notes of a program that draws
        if plain.startswith("on"):
            raise ValueError(f"figure {caption!r} has an attribute {name!r} that is not for a page")
        if plain == "id":
            value = prefix + value
        elif plain == "href":
            if not value.startswith(("#", "data:image/png;")):
                raise ValueError(f"figure {caption!r} refers to {value!r}, outside of the page")
            value = f"#{prefix}{value[1:]}" if value.startswith("#") else value
        else:
            if _loads(value):
                raise ValueError(f"figure {caption!r} refers to {value!r}, outside of the page")
            value = _REFERENCE.sub(rf"url(#{prefix}\g<2>)", value)
        node.set(plain, value)


def _loads(style: str | None) -> bool:
    """Whether a style could load something, or end the element it is in."""
    rest = _REFERENCE.sub("", style or "").lower()
    return "url(" in rest or "@import" in rest or "<" in rest
