"""Roots that crowd: small discs with a known number of them, found by iteration and proved exactly.

A change of the coefficients by 1e-16 drives the m roots of a cluster 1e-16^(1/m) apart, so that
floats are blind there and iterations slow. But a root that is shown only has to be near one of its
own: a cluster need not be resolved. A disc that is small enough and holds m roots answers for all.

Points are Gaussian integers in units of 2^-bits, for which the values of a polynomial with whole
coefficients, its derivatives and shifts are whole too. Floats say where to go next, and no more.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from sweep_plugins.schemes.polynomials import Polynomial

Point = tuple[int, int]
"""The real and the imaginary part of a whole complex number."""

_FIRST_BITS = 64
_ROUNDS = 8
_STEPS_IN_A_ROUND = 8

# Pellet's test adds powers of rounded logarithms: what that is wrong by is far below 0.001.
_PROVED = 0.999
_RADII = 11


@dataclass(frozen=True)
class _Disc:
    """Around a centre, near which `count` roots lie at distances of the order of 2^`scale`.

    It holds exactly these if `radius`, another power of two, is known. `taylor` has the
    coefficients of the powers of the distance from the centre.
    """

    centre: Point
    count: int
    taylor: list[Point]
    scale: float
    radius: int | None


@dataclass(frozen=True)
class _Group:
    """Iterates nearer to each other than to all others, the next of which is `apart` away."""

    members: tuple[int, ...]
    parts: tuple[_Group, ...]
    apart: float = math.inf


class RootsNotFoundError(ArithmeticError):
    """No disc that is small enough could be proved to hold its roots."""


def crowded_roots(p: Polynomial, near: Sequence[complex], accuracy: float) -> list[complex]:
    """All roots, each within `accuracy` of one of its own, in relation to a modulus above 1.

    `near` are where they may be, if floats could tell.

    Raises:
        RootsNotFoundError: they were not found, or a float does not hold one of them.
    """
    degree = len(p) - 1
    try:
        # Where floats see real roots only, the iteration stays on the real line for ever.
        for start in (near, _on_circles(p, turn=0.7), _on_circles(p, turn=2.1)):
            points = {_on_grid(z, _FIRST_BITS) for z in start if cmath.isfinite(z)}
            if len(points) == degree and (found := _found_from(p, sorted(points), accuracy)):
                return found
    except OverflowError:
        pass
    raise RootsNotFoundError(f"the roots of a polynomial of degree {degree} were not found")


def _found_from(p: Polynomial, start: Sequence[Point], accuracy: float) -> list[complex] | None:
    """The roots by iteration from these points; None if it does not come to them."""
    search = _Search(p, _FIRST_BITS, accuracy, start)
    # Clusters part at n - 1 scales at most. With 12 bits for each between the accuracy and the unit
    # of the finest grid, there is a scale at which all are narrow enough, and apart, to be proved.
    while not search.succeeds():
        if search.bits > _FIRST_BITS + 12 * (len(p) - 1):
            return None
        finer = [(x << search.bits, y << search.bits) for x, y in search.z]
        search = _Search(p, 2 * search.bits, accuracy, finer)
    return search.found()


class _Search:
    """On one grid, from these points, of which there are as many as roots.

    Attributes:
        bits: the unit of the points is 2^-bits.
        z: where the iterates are.
    """

    def __init__(self, p: Polynomial, bits: int, accuracy: float, start: Sequence[Point]) -> None:
        self.bits = bits
        self.z = list(start)
        # With its roots multiplied by 2^bits.
        self._p = [c << bits * i for i, c in enumerate(p)]
        self._accuracy = accuracy
        self._last_step = [0.0] * len(self.z)
        self._open = set(range(len(self.z)))
        self._discs: dict[tuple[int, ...], _Disc] = {}
        self._restarted: set[frozenset[int]] = set()

    def succeeds(self) -> bool:
        """Whether every root is in a proved disc after a limited number of steps."""
        for _ in range(_ROUNDS):
            self._prove(self._tree(range(len(self.z))))
            if not self._open:
                return True
            for _ in range(_STEPS_IN_A_ROUND):
                for i in sorted(self._open):
                    self._step(i)
        return False

    def found(self) -> list[complex]:
        """The centre of every disc, as often as it has roots."""
        return [
            self._float(disc.centre) for disc in self._discs.values() for _ in range(disc.count)
        ]

    def _step(self, i: int) -> None:
        """Aberth's: Newton's for the polynomial divided by the distances from the other points."""
        (value, slope) = _shifted(self._p, self.z[i], 2)
        if value == (0, 0):
            self._last_step[i] = 0.0
            return
        try:
            inverse = _ratio(slope, value, self.bits)
            for j, other in enumerate(self.z):
                if j != i:
                    # Points that coincide are driven apart.
                    away = _minus(self.z[i], other) if self.z[i] != other else (i - j, 0)
                    inverse -= 1 / self._float(away)
            step = 1 / inverse
        except (OverflowError, ZeroDivisionError):
            return  # beyond the range of floats, as near a root
        self._last_step[i] = abs(step)
        self.z[i] = _minus(self.z[i], self._whole(step))

    def _prove(self, group: _Group) -> None:
        """Close the group in a small disc, or its parts; start anew what lies at another scale."""
        if self._open.isdisjoint(group.members):
            return
        mean = _mean([self.z[i] for i in group.members])
        spread = max(self._distance(self.z[i], mean) for i in group.members)
        reach = max(spread, *(self._last_step[i] for i in group.members))
        if 4 * reach < group.apart:
            disc = self._disc(mean, len(group.members), group.apart)
            if disc is not None and self._closes(group, disc):
                return
            if disc is not None and self._starts_anew(group, disc):
                group = self._tree(group.members)
        for part in group.parts:
            self._prove(part)

    def _closes(self, group: _Group, disc: _Disc) -> bool:
        """Whether the disc is proved, small, and apart from those that are known."""
        if disc.radius is None:
            return False
        size = max(1.0, abs(self._float(disc.centre)))
        if not math.ldexp(1.0, disc.radius - self.bits) <= self._accuracy / 2 * size:
            return False
        self._reopen(group)
        if any(_meet(disc, other) for other in self._discs.values()):
            return False
        self._discs[group.members] = disc
        self._open.difference_update(group.members)
        for i in group.members:
            self.z[i] = disc.centre
        return True

    def _reopen(self, group: _Group) -> None:
        for members in [m for m in self._discs if m[0] in group.members]:
            del self._discs[members]
        self._open.update(group.members)

    def _disc(self, centre: Point, count: int, apart: float) -> _Disc | None:
        """The disc of so many roots near `centre`; None if they are not apart from the others.

        Newton's method for the derivative of order count - 1, whose root is the mean of the cluster
        but for the pull of the other roots. Then Pellet's test: a disc of radius r has m roots if
        |a_m| r^m exceeds the sum of all other |a_k| r^k.
        """
        before = math.inf
        while True:
            taylor = _shifted(self._p, centre, len(self._p))
            if taylor[count] == (0, 0):
                return None
            try:
                step = _ratio(taylor[count - 1], taylor[count], -self.bits) / count
            except OverflowError:
                return None
            if abs(step) > apart:
                return None
            if abs(step) < 1e-6 * min(apart, self._accuracy) or not abs(step) < before / 8:
                break
            centre = _minus(centre, self._whole(step))
            before = abs(step)
        above = [_log2(a) - _log2(taylor[count]) for a in taylor]
        scale = max(above[k] / (count - k) for k in range(count))
        least = max(0, math.ceil(scale)) if scale > -math.inf else 0
        for radius in range(least, least + _RADII):
            terms = (a + (k - count) * radius for k, a in enumerate(above) if k != count)
            if sum(2.0 ** min(term, 1.0) for term in terms) < _PROVED:
                return _Disc(centre, count, taylor, scale, radius)
        return _Disc(centre, count, taylor, scale, None)

    def _starts_anew(self, group: _Group, disc: _Disc) -> bool:
        """Whether the iterates were at another scale than their roots, and are moved there.

        Iterations crawl towards a cluster. Floats resolve it at its own scale and from its centre:
        the roots of the polynomial without the powers that only matter farther out.
        """
        if disc.scale == -math.inf:
            return False
        now = sorted(self._distance(self.z[i], disc.centre) for i in group.members)
        found = self._local_roots(disc)
        then = sorted(abs(root) for root in found)
        middle = disc.count // 2
        too_far = now[middle] > 4 * then[middle]
        too_near = disc.radius is not None and 8 * disc.count * now[-1] < then[-1]
        restarted = frozenset(group.members)
        if not (too_far or too_near) or restarted in self._restarted:
            return False
        self._restarted.add(restarted)
        self._reopen(group)
        for i, root in zip(group.members, found, strict=True):
            x, y = self._whole(root)
            self.z[i] = (disc.centre[0] + x, disc.centre[1] + y)
            self._last_step[i] = 0.0
        return True

    def _local_roots(self, disc: _Disc) -> list[complex]:
        """About where the roots of the disc are, from its centre."""
        top = _log2(disc.taylor[disc.count])
        local = [
            _direction(a) * 2.0 ** (_log2(a) - top + (k - disc.count) * disc.scale)
            for k, a in enumerate(disc.taylor[: disc.count + 1])
        ]
        roots = [complex(root) for root in np.roots(local[::-1])]
        roots += [0j] * (disc.count - len(roots))
        # Apart from each other, and off any axis of symmetry.
        aside = [cmath.exp(2j * math.pi * (n + 0.3) / disc.count) for n in range(disc.count)]
        unit = 2.0 ** (disc.scale - self.bits)
        return [
            unit * (root + 1e-6 * a * root + 1e-12 * a)
            for root, a in zip(roots, aside, strict=True)
        ]

    def _tree(self, members: Sequence[int]) -> _Group:
        """The groups of single linkage, from all of these points down to each."""
        of = {i: _Group((i,), ()) for i in members}
        near = sorted(
            (self._distance(self.z[i], self.z[j]), i, j) for i, j in combinations(members, 2)
        )
        whole = of[members[0]]
        for distance, i, j in near:
            if of[i] is not of[j]:
                parts = tuple(replace(of[k], apart=distance) for k in (i, j))
                whole = _Group(of[i].members + of[j].members, parts)
                for k in whole.members:
                    of[k] = whole
        return whole

    def _float(self, z: Point) -> complex:
        unit = 1 << self.bits
        return complex(z[0] / unit, z[1] / unit)

    def _distance(self, a: Point, b: Point) -> float:
        return abs(self._float(_minus(a, b)))

    def _whole(self, z: complex) -> Point:
        return _on_grid(z, self.bits)


def _on_circles(p: Polynomial, turn: float) -> list[complex]:
    """Points on circles about 0, as many and as large as the moduli of the roots (Bini, 1996).

    Each edge of the upper hull of the logarithms of the coefficients is a circle. `turn` is that of
    its points, in radians.
    """
    hull: list[tuple[int, float]] = []
    for k, size in enumerate(_log2((c, 0)) for c in p):
        while size > -math.inf and len(hull) > 1:
            (i, a), (j, b) = hull[-2:]
            if (b - a) * (k - i) > (size - a) * (j - i):
                break
            hull.pop()
        if size > -math.inf:
            hull.append((k, size))
    return [
        cmath.rect(2.0 ** ((b - a) / (j - i)), 2 * math.pi * (k / (j - i) + j / len(p)) + turn)
        for (i, a), (j, b) in pairwise(hull)
        for k in range(j - i)
    ]


def _on_grid(z: complex, bits: int) -> Point:
    return _times_power(z.real, bits), _times_power(z.imag, bits)


def _times_power(x: float, bits: int) -> int:
    """x 2^bits, rounded."""
    mantissa, exponent = math.frexp(x)
    whole, shift = int(mantissa * 2**53), exponent + bits - 53
    return whole << shift if shift >= 0 else (whole + (1 << -shift >> 1)) >> -shift


def _shifted(p: Sequence[int], z: Point, terms: int) -> list[Point]:
    """The first Taylor coefficients of p at z, from that of power 0, by Horner's scheme."""
    x, y = z
    real, imaginary = list(p), [0] * len(p)
    for last in range(len(p) - 1, len(p) - 1 - terms, -1):
        a, b = real[0], imaginary[0]
        for i in range(1, last + 1):
            a, b = real[i] + a * x - b * y, imaginary[i] + a * y + b * x
            real[i], imaginary[i] = a, b
    return [(real[-k], imaginary[-k]) for k in range(1, terms + 1)]


def _minus(a: Point, b: Point) -> Point:
    return a[0] - b[0], a[1] - b[1]


def _mean(points: Sequence[Point]) -> Point:
    count = len(points)
    return sum(x for x, _ in points) // count, sum(y for _, y in points) // count


def _meet(one: _Disc, other: _Disc) -> bool:
    assert one.radius is not None
    assert other.radius is not None
    x, y = _minus(one.centre, other.centre)
    reach: int = (1 << one.radius) + (1 << other.radius)
    return x * x + y * y <= reach * reach


def _leading(a: Point) -> tuple[complex, int]:
    """Floats m and e, so that a is m 2^e."""
    drop = max(0, a[0].bit_length() - 64, a[1].bit_length() - 64)
    return complex(a[0] >> drop, a[1] >> drop), drop


def _log2(a: Point) -> float:
    m, e = _leading(a)
    return math.log2(abs(m)) + e if m else -math.inf


def _direction(a: Point) -> complex:
    m, _ = _leading(a)
    return m / abs(m) if m else 0j


def _ratio(a: Point, b: Point, bits: int) -> complex:
    """a / b times 2^bits. Raises OverflowError."""
    (m, e), (n, f) = _leading(a), _leading(b)
    ratio = m / n
    shift = e - f + bits
    return complex(math.ldexp(ratio.real, shift), math.ldexp(ratio.imag, shift))
