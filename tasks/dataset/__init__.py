"""The dataset's versions in DVC: the current one, all that there are, what changed between two."""
