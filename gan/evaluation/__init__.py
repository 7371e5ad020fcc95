"""Images -> one pass of the feature network -> scores, copies and pictures: what the flows call."""
