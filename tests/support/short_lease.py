"""The program `sweep` with leases that end soon: `python short_lease.py SECONDS COMMAND...`."""

from __future__ import annotations

import sys

import results.store.leases
import sweeper.cli
import sweeper.scheduling.lease_keeper

if __name__ == "__main__":
    seconds = float(sys.argv.pop(1))
    results.store.leases.LEASE_SECONDS = seconds
    sweeper.scheduling.lease_keeper.RENEW_SECONDS = seconds / 10  # type: ignore[attr-defined]
    sweeper.cli.main()
