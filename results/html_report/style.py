"""The page's style sheet: light and dark, and for paper."""

from __future__ import annotations

CSS = """
:root {
  color-scheme: light dark;
  --text: #1c1e21; --muted: #5a6068; --page: #ffffff; --panel: #f5f6f8;
  --line: #d5d9df; --strong-line: #1c1e21; --link: #0b57a4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e4e6ea; --muted: #a2a9b3; --page: #16181c; --panel: #202329;
    --line: #3a3f47; --strong-line: #c9cdd3; --link: #8ab8f0;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body {
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: break-word;
}
h1 { margin: 0 0 .5rem; font-size: 1.8rem; line-height: 1.2; }
h2 {
  margin: 3rem 0 1rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line);
  font-size: 1.3rem;
}
h3 { margin: 2rem 0 .5rem; font-size: 1.05rem; }
a { color: var(--link); }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .9em; }
pre code { font-size: 1em; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; min-width: 0; }
.scroll { overflow-x: auto; margin: 1.25rem 0 .5rem; }
table {
  border-collapse: collapse; border-bottom: 2px solid var(--strong-line);
  font-size: .92rem; font-variant-numeric: tabular-nums;
}
caption { padding-bottom: .5rem; text-align: left; font-weight: 600; }
thead { border-top: 2px solid var(--strong-line); border-bottom: 1px solid var(--strong-line); }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top; white-space: nowrap; }
th { font-weight: 600; }
tbody th { font-weight: 400; }
tbody tr + tr { border-top: 1px solid var(--line); }
th.number, td.number { text-align: right; }
th.shared { text-align: center; border-bottom: 1px solid var(--line); }
td.long { min-width: 20rem; white-space: normal; }
tr:target { background: var(--panel); outline: 2px solid var(--link); }
.note { margin: .25rem 0; color: var(--muted); font-size: .9rem; }
figure { margin: 1.5rem 0; break-inside: avoid; }
figure > div { max-width: max-content; padding: .75rem; background: #ffffff; color: #000000;
  border: 1px solid var(--line); border-radius: 4px; overflow-x: auto; }
figure svg { display: block; max-width: 100%; height: auto; }
figcaption { margin-top: .5rem; color: var(--muted); font-size: .92rem; }
details { margin: .75rem 0; }
summary { cursor: pointer; }
details > ul { padding-left: 1.25rem; }
details li { margin: .2rem 0; }
pre {
  overflow-x: auto; padding: 1rem; border: 1px solid var(--line); border-radius: 4px;
  background: var(--panel);
}
footer { margin-top: 3rem; color: var(--muted); font-size: .9rem; }
@media print {
  :root {
    color-scheme: light;
    --text: #000000; --muted: #444444; --page: #ffffff; --panel: #ffffff;
    --line: #bbbbbb; --strong-line: #000000; --link: #000000;
  }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  .scroll, pre, figure > div { overflow: visible; }
  pre { white-space: pre-wrap; }
  th, td { white-space: normal; }
  thead { display: table-header-group; }
  tr { break-inside: avoid; }
  h2, h3, caption { break-after: avoid; }
  nav, details:not([open]) { display: none; }
}
"""
