"""The templates in `templates/`: text that is put into them is shown as it is, whatever it holds.

`base.html` is what pages have in common, `elements.html` what they are made of.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from results.schema.bounds import MOMENT
from sweep_plugins.plain_text import visible


def moment(seconds: float | None) -> str | None:
    """A point in time, given in seconds since the epoch, for reading."""
    if seconds is None or seconds not in MOMENT:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def rendered(template: str, **values: Any) -> str:
    """The page that a template and its values make."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("results.html_report"),
        autoescape=True,
        finalize=_printable,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["moment"] = moment
    made.filters["iso"] = lambda seconds: datetime.fromtimestamp(seconds, UTC).isoformat(
        timespec="seconds"
    )
    made.filters["base64"] = lambda data: b64encode(data).decode("ascii")
    return made


def _printable(value: Any) -> Any:
    """Control characters, which no escaping for HTML makes harmless to read, become escapes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
