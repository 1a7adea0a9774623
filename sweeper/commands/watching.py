"""Looking at something again and again, until it is over or the reader has seen enough."""

from __future__ import annotations

import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, NamedTuple

import typer

from sweep_plugins.plain_text import visible
from sweeper.commands.output import write_text

EVERY_SECONDS = 2.0
"""Between two looks; runs report as often."""

LEAST_SECONDS = 0.2

_ALWAYS = 100
"""Columns where there is no terminal."""

EveryOption = Annotated[
    float,
    typer.Option(
        "--every", min=LEAST_SECONDS, metavar="SECONDS", help="with --watch: between two looks"
    ),
]


class Look(NamedTuple):
    """What is to be seen now, and whether nothing will change any more.

    `what` differs from that of the look before where more than the time has changed.
    """

    lines: Sequence[str]
    is_over: bool
    what: object


def columns() -> int | None:
    """Of the terminal; None where stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def watch(look: Callable[[int, int], Look], every: float) -> None:
    """Show what `look` gives for so many columns and lines, until it is over, q or Control-C.

    In place in a terminal; elsewhere one block after the other, whenever there is another to see.
    """
    with _keys() as typed_q:
        try:
            if sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", ""):
                _in_place(look, every, typed_q)
            else:
                _in_blocks(look, every, typed_q)
        except KeyboardInterrupt:
            return


def _in_place(
    look: Callable[[int, int], Look], every: float, typed_q: Callable[[float], bool]
) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console(file=sys.stdout)

    def text(found: Look, hint: str = "") -> Text:
        # A line is left for the hint, and one for the cursor.
        lines = [visible(line) for line in found.lines][: console.height - 2]
        hints = [hint[: console.width]] if hint else []
        return Text("\n".join([*lines, *hints]), no_wrap=True, overflow="crop")

    hint = "q ends this view"
    found = look(console.width, console.height - 2)
    with Live(
        text(found, hint), console=console, auto_refresh=False, vertical_overflow="crop"
    ) as live:
        try:
            while not found.is_over and not typed_q(every):
                found = look(console.width, console.height - 2)
                live.update(text(found, hint), refresh=True)
        finally:
            live.update(text(found), refresh=True)


def _in_blocks(
    look: Callable[[int, int], Look], every: float, typed_q: Callable[[float], bool]
) -> None:
    before: object = None
    while True:
        found = look(_ALWAYS, sys.maxsize)
        if found.what != before:
            moment = time.strftime("%Y-%m-%d %H:%M:%S")
            write_text("\n".join([moment, *found.lines]) + "\n\n", None)
            before = found.what
        if found.is_over or typed_q(every):
            return


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """A function that waits so many seconds, and says whether q was typed meanwhile."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):

        def wait(seconds: float) -> bool:
            time.sleep(seconds)
            return False

        yield wait
        return
    import termios
    import tty

    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def read(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([terminal], [], [], left)[0]:
                break
            typed = os.read(terminal, 100)
            if not typed or b"q" in typed.lower():
                return True
        return False

    tty.setcbreak(terminal, termios.TCSADRAIN)
    try:
        yield read
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
