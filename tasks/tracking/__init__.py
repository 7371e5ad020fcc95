"""MLflow: runs that go on, those there have been, and registered generators with their aliases."""
