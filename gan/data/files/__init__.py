"""Files wherever they lie: in a folder, in an archive, behind a URL; read within limits, never unpacked by name."""
