"""Features -> statistics -> value: one file per metric, compared only under one protocol."""
