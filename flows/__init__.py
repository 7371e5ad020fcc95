"""What runs, in which order: one file per Prefect flow, and the command line."""
