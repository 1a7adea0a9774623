"""ResNeXt, and its multistep relatives."""
