"""From a user's images to Parquet shards, and from shards to one resident uint8 array."""
