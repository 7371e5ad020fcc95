"""Releases held against what they say of themselves; they are only read."""
