"""One image: decoded, prepared, packed as PNG."""
