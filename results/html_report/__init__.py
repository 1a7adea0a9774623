"""A report as one HTML page that opens offline: tables, figures, and where every number is from."""

from __future__ import annotations

from results.html_report.document import html_page

__all__ = ["html_page"]
