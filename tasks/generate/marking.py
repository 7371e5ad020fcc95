"""How a release is marked, described for machines, and signed: what is put into its files beside the images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan.data.files.atomic import write_whole
from gan.data.store.dataset import MANIFEST
from gan.release.croissant import FILE, Described, DescribedFile, DescribedGenerator, croissant_json
from gan.release.marks import Mark, json_fields, parquet_metadata, png_chunks
from gan.release.shard import Marks
from gan.release.xmp import CREATOR_TOOL, SOURCE_TYPE
from tasks.tracking.versions import RegisteredModel

_NO_DATA = {"README.md", "samples.png", MANIFEST}


@dataclass(frozen=True)
class SameChunks:
    """The same PNG chunks for every image; a class, so that it can be sent to other processes."""

    chunks: bytes

    def __call__(self, seed: int, label: int) -> bytes:
        """As `gan.release.shard.Marks.chunks`."""
        return self.chunks


def release_marks(model: RegisteredModel, name: str) -> Marks:
    """Return what says of the images and files of a release that they are synthetic."""
    mark = Mark(model.name, model.version, model.dataset_md5, name)
    return Marks(SameChunks(png_chunks(mark)), parquet_metadata(mark), json_fields(mark))


def stated_marks(marks: Marks) -> dict[str, str]:
    """Return what a manifest says of the mark in each image: `ganflow verify` looks for exactly this."""
    return {key: str(marks.fields[key]) for key in (SOURCE_TYPE, CREATOR_TOOL) if key in marks.fields}


def write_croissant(
    folder: Path, manifest: Mapping[str, Any], class_names: Sequence[str], files: Mapping[str, str]
) -> Path:
    """Describe a release for other programs; returns the file.

    Args:
        folder: of the release.
        manifest: what `manifest.json` will say, all but `files`.
        class_names: by label; empty where images have none.
        files: sha256 by path of what lies there.
    """
    model, dataset, counts = manifest["model"], manifest.get("dataset") or {}, manifest["counts"]
    described = Described(
        name=manifest["name"],
        description=f"{manifest['generation']['num_images']} synthetic images, drawn from version {model['version']} "
        f"of the generator {model['name']}.",
        format=manifest["generation"]["format"],
        class_names=class_names,
        counts={"train": counts},
        files=[
            DescribedFile(path, sha256, (folder / path).stat().st_size)
            for path, sha256 in files.items()
            if path not in _NO_DATA
        ],
        licence=dataset.get("licence"),
        source_url=dataset.get("source_url"),
        credit=dataset.get("credit"),
        generator=DescribedGenerator(model["name"], model["version"], manifest["dataset_md5"]),
    )
    path = folder / FILE
    write_whole(path, croissant_json(described))
    return path
