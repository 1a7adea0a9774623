"""Accuracy of a trained network: clean, under noise, attacked."""
