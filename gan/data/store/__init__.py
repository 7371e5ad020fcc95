"""A dataset on disk: its description, its shards, and its decoded copy."""
