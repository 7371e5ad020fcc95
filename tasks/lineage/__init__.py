"""What came of what: from an image back to the dataset, and from a dataset to all that stems from it."""
