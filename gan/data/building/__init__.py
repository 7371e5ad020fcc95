"""From the parts of a source to a dataset folder: read anywhere, decided at once, written as shards."""
