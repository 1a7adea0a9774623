"""Groups of runs, their statistics, and tests between them."""
