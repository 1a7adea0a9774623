"""FractalNet."""
