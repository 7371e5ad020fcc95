"""What is old and needed by nothing goes: training runs, their checkpoints, evaluations, caches, logs."""
