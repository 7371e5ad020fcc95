"""What the folders of a source mean: splits, classes, or what lies around or beside them; told by names alone."""
