"""The pipeline's steps as Prefect tasks, a file each; a docstring says what Prefect buys there."""
