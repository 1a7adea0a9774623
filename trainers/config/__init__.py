"""Everything that a run is, free of torch."""
