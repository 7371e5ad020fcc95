"""All targets; to import them makes them.

Left out, for they read nothing that is foreign: pickles between a command and its own workers
(`gan.data.building.pool`), Ray's and Prefect's own traffic, `work_pool.json` and templates of the package, the MLflow
database, which MLflow reads. Left to their libraries: `~/.netrc` (requests), `prefect.toml` and parameters on the
wire (Prefect), DVC's cache and remotes (DVC), datasets of the hub (`datasets`, whose Parquet comes to
`parquet_bytes`), a fetched listing (fsspec). A program that was taken is not run: what it computes is what its images
are. Of the Inception file only that any other is refused is to be seen, for nothing reads it before its sha256 is
right.
"""

from fuzzing import of_fingerprints, of_models, of_records, of_releases, of_shards, of_sources, of_texts
from fuzzing.target import TARGETS

__all__ = [
    "TARGETS", "of_fingerprints", "of_models", "of_records", "of_releases", "of_shards", "of_sources", "of_texts",
]  # fmt: skip
