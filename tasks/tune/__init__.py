"""A search for settings: trials of which the better half goes on, and the winner held against the preset."""
