"""A training step: optimizer, compiled graphs."""
