"""What `ganflow up` starts, how it is guarded, and how other commands find it."""
