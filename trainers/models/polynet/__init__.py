"""PolyNet."""
