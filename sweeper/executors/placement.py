"""Where tasks of several slots go: on which nodes there is room for all of their processes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Demand:
    """What a task needs at once, or does not start.

    Attributes:
        processes: that train one network together; each is on one node.
        multiplier: slots of each process.
    """

    processes: int = 1
    multiplier: int = 1

    @property
    def slots(self) -> int:
        """Of all processes."""
        return self.processes * self.multiplier


ONE_SLOT = Demand()


@dataclass(frozen=True)
class Room:
    """Slots that tasks may have.

    Attributes:
        free: by node.
        most: of them at once.
        spread: nodes that a task of several processes is spread over, as far as it has so many
            processes; None to pack it on as few as possible.
    """

    free: Mapping[str, int]
    most: int = sys.maxsize
    spread: int | None = field(default=None, kw_only=True)

    def places(self, demand: Demand) -> dict[str, int] | None:
        """The slots that such a task would have, by node; None if there is no room for it."""
        if demand.slots > self.most:
            return None
        processes = self._spread(demand) if self.spread else self._packed(demand)
        if processes is None:
            return None
        return {node: count * demand.multiplier for node, count in processes.items()}

    def ways(self, demand: Demand) -> list[dict[str, int]]:
        """Slots by node that such a task may get: one process on any node that has room."""
        if demand.processes > 1:
            places = self.places(demand)
            return [] if places is None else [places]
        if demand.slots > self.most:
            return []
        return [{node: demand.slots} for node, free in self.free.items() if free >= demand.slots]

    def largest_multiplier(self, processes: int) -> int:
        """Slots that each of so many processes can have, at least 1."""
        multiplier = 1
        while self.places(Demand(processes, multiplier + 1)) is not None:
            multiplier += 1
        return multiplier

    def with_more(self, slots: Mapping[str, int]) -> Room:
        """When these have become free as well."""
        return self._changed(slots, 1)

    def with_less(self, slots: Mapping[str, int]) -> Room:
        """When these are taken."""
        return self._changed(slots, -1)

    def _changed(self, slots: Mapping[str, int], sign: int) -> Room:
        free = Counter(self.free)
        for node, count in slots.items():
            free[node] += sign * count
        return replace(self, free=free, most=self.most + sign * sum(slots.values()))

    def _largest_first(self) -> list[str]:
        return sorted(self.free, key=lambda node: -self.free[node])

    def _packed(self, demand: Demand) -> dict[str, int] | None:
        left = demand.processes
        found: dict[str, int] = {}
        in_order = self._largest_first()
        for at, node in enumerate(in_order):
            count = self.free[node] // demand.multiplier
            if count <= 0:
                break
            if count >= left:
                # The last ones go where they leave the least.
                fitting = [n for n in in_order[at:] if self.free[n] >= left * demand.multiplier]
                return {**found, min(fitting, key=self.free.__getitem__): left}
            found[node] = count
            left -= count
        return None

    def _spread(self, demand: Demand) -> dict[str, int] | None:
        shares = shares_of(demand.processes, self.spread or 1)
        nodes = self._largest_first()[: len(shares)]
        if len(nodes) < len(shares):
            return None
        if any(
            self.free[node] < share * demand.multiplier
            for node, share in zip(nodes, shares, strict=True)
        ):
            return None
        return dict(zip(nodes, shares, strict=True))


def shares_of(processes: int, nodes: int) -> list[int]:
    """How many processes each node has, the most first: as evenly as can be, none without any."""
    nodes = min(nodes, processes)
    most, larger = divmod(processes, nodes)
    return [most + (at < larger) for at in range(nodes)]
