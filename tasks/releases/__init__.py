"""Releases as the registry knows them: which there are, and whether they may be used."""
