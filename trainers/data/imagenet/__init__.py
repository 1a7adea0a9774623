"""ILSVRC2012, the 1000 classes of ImageNet: read in place from its archives or unpacked folders."""
