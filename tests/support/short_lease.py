"""The program `sweep` with leases that end soon: `python short_lease.py SECONDS COMMAND...`."""

from __future__ import annotations

import sys

import pytest

import sweeper.cli

if __name__ == "__main__":
    seconds = float(sys.argv.pop(1))
    # An error where one of them is not read any more: else the test would wait for a whole lease.
    patch = pytest.MonkeyPatch()
    patch.setattr("results.store.driver.LEASE_SECONDS", seconds)
    patch.setattr("sweeper.scheduling.lease_keeper.RENEW_SECONDS", seconds / 10)
    patch.setattr("sweeper.scheduling.scheduler.OTHERS_SECONDS", seconds / 10)
    sweeper.cli.main()
