"""How a shard of a release is written: a module a format, all of them with the same bytes whenever and wherever."""
