"""What the steps do to DVC, Ray, MLflow and the release folder: a room for each step, and for what they share."""
