"""HTML elements as trees: escaped and balanced however odd their text."""

from __future__ import annotations

from xml.etree.ElementTree import Element, tostring

from results.metrics import visible

Child = Element | str | None

_ON_LINES_OF_THEIR_OWN = (
    "meta", "title", "style", "head", "header", "section", "details", "summary",
    "h1", "h2", "h3", "p", "li", "caption", "thead", "tbody", "tr", "figure", "figcaption",
)  # fmt: skip


def element(tag: str, *children: Child, **attributes: str | None) -> Element:
    """An element; a trailing underscore in an attribute's name is dropped, others are hyphens.

    Children and attributes that are None are left out.
    """
    made = Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): visible(value)
            for name, value in attributes.items()
            if value is not None
        },
    )
    return extend(made, *children)


def extend(parent: Element, *children: Child) -> Element:
    """Appends to an element, and returns it."""
    for child in children:
        if isinstance(child, Element):
            parent.append(child)
        elif child is not None:
            text = visible(child)
            if len(parent):
                parent[-1].tail = (parent[-1].tail or "") + text
            else:
                parent.text = (parent.text or "") + text
    return parent


def serialized(root: Element) -> str:
    """The HTML text of a tree, with line ends where browsers ignore them."""
    for node in root.iter():
        if node.tag in _ON_LINES_OF_THEIR_OWN:
            node.tail = (node.tail or "") + "\n"
    return tostring(root, encoding="unicode", method="html")
