"""The outside systems, one file each: DVC, Ray, MLflow, the release folder."""
