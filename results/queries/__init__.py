"""Reading the database: runs, one run in full, how far a sweep is."""
