"""Newton-ResNet."""
