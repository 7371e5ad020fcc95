"""Generators and discriminators; plain arguments in, no configuration object."""
