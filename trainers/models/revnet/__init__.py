"""RevNet, whose blocks can be run backwards."""
