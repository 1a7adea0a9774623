"""The names that a trainer may give to what it reports."""

from __future__ import annotations

import re

METRIC_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/@+\-\[\]]{0,99}")

METRIC_NAME_RULE = (
    "a metric's name begins with a letter and has at most 100 letters, digits and _ . : / @ + - [ ]"
)
