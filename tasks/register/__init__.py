"""A trained generator becomes a version, and champion if it is the better one."""
