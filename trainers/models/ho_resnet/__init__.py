"""HO-ResNet: blocks that are steps of Runge-Kutta methods."""
