"""Synthetic images that can be handed on: how many of which class, drawn block by block, written in a common format."""
