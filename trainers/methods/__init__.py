"""Numerical methods and their mathematics, free of torch."""
