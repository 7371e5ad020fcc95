"""A registered version trained once more from what is on record, and held against what came of it then."""
