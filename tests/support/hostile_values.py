"""Values, texts and results that are against whoever reads them, the same for the same seed."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

TEXTS = (
    "",
    "\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\0",
    "over\rwritten\x08\x7f",
    "done\nsweep: 8 of 8 done",
    "cat\u202egnp.exe",
    "\u200b\ufeff\u2066\u2069\u00ad",
    "\u2028\u2029\x85",
    "\udc80",
    "\ud800\0",
    "\U000e0041",
    "../../../etc/passwd",
    "'; DROP TABLE runs; --",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }} %s %n {0} {x!r}",
    "$(reboot) `id` $HOME ~",
    "[bold]x[/nothing]",
    "=1+1",
    "null",
    "NaN",
    "1e999",
    "9" * 5_000,
    "x" * 5_000,
    "\U0001f600" * 300,
    "/dev/zero",
    "a,b;c|d\t e",
)

NUMBERS = (
    0, -1, 2**31, 2**63, -(2**63) - 1, 10**400, -(10**400), 1e308, -1e308, 1e300, 5e-324, -0.0,
    101.0, True, float("nan"), float("inf"),
)  # fmt: skip


def text(rng: random.Random) -> str:
    return "".join(rng.sample(TEXTS, rng.randint(1, 3)))


def value(rng: random.Random) -> Any:
    """JSON of any kind, or what is none."""
    kind = rng.randrange(8)
    if kind < 3:
        return rng.choice(NUMBERS)
    if kind < 5:
        return text(rng)
    if kind == 5:
        return nested(rng.choice((3, 60, 900, 20_000)))
    if kind == 6:
        return [value(rng) for _ in range(rng.randrange(3))]
    return rng.choice(({}, None, [], {text(rng): value(rng)}, {1: 2}, {1, 2}, b"bytes", object()))


def nested(levels: int) -> Any:
    made: Any = 1
    for level in range(levels):
        made = [made] if level % 2 else {"x": made}
    return made


def mutated(rng: random.Random, result: Any) -> Any:
    """The result with something else in one to three places, or without them."""
    changed = copy.deepcopy(result)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(changed))
        if not places:
            return changed
        inside, key = rng.choice(places)
        if rng.random() < 0.1:
            del inside[key]
        else:
            inside[key] = value(rng)
    return changed


def _places(inside: Any) -> Iterator[tuple[Any, Any]]:
    waiting = [inside]
    while waiting:
        container = waiting.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            yield container, key
            if isinstance(container[key], dict | list):
                waiting.append(container[key])
