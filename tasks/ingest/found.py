"""What was found in a source: the page before an ingest and the one after it begin with the same."""

from collections.abc import Iterator, Mapping, Sequence

from gan.data.building.file_counts import FileCounts
from gan.data.building.preview import fitting_resolution
from gan.data.building.windows import text

Fact = tuple[str, list[str], str]
"""A term, values, and a remark."""

_KINDS = {
    "digits": "scikit-learn's handwritten digits",
    "folder": "image files",
    "idx": "IDX files, as MNIST is published",
    "cifar": "binary files, as CIFAR is published",
    "parquet": "Parquet files",
    "webdataset": "WebDataset tars",
    "numpy": "arrays of NumPy",
    "csv": "a table with a column for each pixel",
    "release": "a release of synthetic images",
    "lmdb": "an LMDB database",
    "huggingface": "a Hugging Face dataset",
}


def found_facts(
    kind: str,
    files: FileCounts | None,
    asked: Mapping[str, str | Sequence[str]] | None,
    splits: Mapping[str, int],
    num_classes: int,
    sides: tuple[int, int, int] | None,
    enlarged: str = "",
    values: Mapping[str, tuple[float, float]] | None = None,
) -> Iterator[Fact]:
    """Say what a source is.

    Args:
        kind: of it.
        files: what its files are.
        asked: how a person had them read.
        splits: images by the split that the source itself says.
        num_classes: how many classes there are; 0 for images without labels.
        sides: shortest, median and longest of its images' shorter sides, in pixels.
        enlarged: a remark on them.
        values: lowest and highest of its images, by what they are stored as.
    """
    yield "Source", [_KINDS.get(kind, kind)], ""
    if files:
        companions = sorted(files.companions.items())
        parts = [(files.what, files.images), *companions, ("rejected", files.rejects)]
        yield "Files", [f"{files.files:,}"], ", ".join(f"{count:,} {what}" for what, count in parts if count)
    if asked:
        said = [(name, [value] if isinstance(value, str) else value) for name, value in asked.items()]
        yield "Asked for", [f"--{name.replace('_', '-')} {text}" for name, texts in said for text in texts], ""
    own = [f"{split} {count:,}" for split, count in splits.items()]
    yield "Splits", own or ["none"], "" if own else "some are held out by the hash of their pixels"
    yield "Classes", [f"{num_classes:,}" if num_classes else "none"], "" if num_classes else "images have no labels"
    if sides:
        shortest, median, longest = sides
        span = [f"{shortest:,} pixels"]
        if shortest < longest:
            span = [f"{shortest:,} to {longest:,} pixels", f"median {median:,}"]
        yield "Shorter side in the source", span, enlarged
        yield "Resolution that fits", [f"{fitting_resolution(median)}"], "data.resolution"
    for stored, bounds in (values or {}).items():
        yield f"Values of {stored}", [text(bounds)], ""
