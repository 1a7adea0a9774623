"""The only writer of the database: sweeps, transitions of runs, leases."""
