"""What makes a set of generated images a release that can be handed on."""
