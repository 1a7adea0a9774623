"""Residual networks as discrete dynamical systems: with and without shortcuts."""
