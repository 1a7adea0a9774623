"""Datasets: found, read, augmented."""
