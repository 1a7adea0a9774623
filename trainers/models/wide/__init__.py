"""Wide networks whose blocks are steps of a multistep scheme."""
