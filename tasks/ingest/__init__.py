"""From a source to a version of the dataset: read, recorded, announced, shown."""
