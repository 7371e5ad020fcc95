"""The card of a release: its sections, a module for each group of questions."""
