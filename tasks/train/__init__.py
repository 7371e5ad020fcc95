"""Ray Train: what a training will be, the driver's side, the worker's, and the score beside it."""
