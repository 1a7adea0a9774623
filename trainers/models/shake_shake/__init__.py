"""Shake-shake networks."""
