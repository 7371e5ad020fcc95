"""Which version is in use: the history of changes, promotion, and the way back."""
