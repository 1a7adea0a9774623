"""Networks whose blocks are steps of a linear multistep scheme."""
