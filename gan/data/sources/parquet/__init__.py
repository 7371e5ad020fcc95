"""Parquet files that hold encoded images."""
