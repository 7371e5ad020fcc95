"""The part of `croissant.json` by which loaders find images, labels and seeds in the files of each format.

What it says keeps to what `mlcroissant` 1.1 can read: files beside each other are a set with a pattern, and parts of an
image in different files are joined by a key.

Reference: Croissant Format Specification 1.1, «Resources» and «RecordSets».
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

FileFormat = Literal["parquet", "webdataset", "imagefolder", "npz"]
Node = dict[str, Any]

INDEX = "train/metadata.csv"  # of an image folder
_SPLITS = {"train": "cr:TrainingSplit", "test": "cr:TestSplit"}
_TYPES = {
    ".parquet": "application/x-parquet",
    ".tar": "application/x-tar",
    ".csv": "text/csv",
    ".png": "image/png",
    # no type is registered for NumPy's archives; loaders that know none leave them alone
    ".npz": "https://numpy.org/doc/stable/reference/generated/numpy.savez.html",
}


def distribution(format: FileFormat, files: Sequence[tuple[str, str, int]]) -> list[Node]:
    """Return the files with their hashes, and the sets of files that records are read from.

    Args:
        format: of the files.
        files: path, sha256 and size of each; of an image folder's only the index is named, its pictures are a set.
    """
    suffixes = {"parquet": ".parquet", "webdataset": ".tar", "imagefolder": ".csv", "npz": ".npz"}
    named = [each for each in files if each[0].endswith(suffixes[format])]
    objects = [
        {
            "@type": "cr:FileObject",
            "@id": path,
            "name": path,
            "contentUrl": path,
            "contentSize": f"{size} B",
            "encodingFormat": _TYPES[PurePosixPath(path).suffix],
            "sha256": sha256,
        }
        for path, sha256, size in named
    ]
    archives = [{"@id": path} for path, _, _ in named]
    sets: dict[FileFormat, list[Node]] = {
        "parquet": [_file_set("shards", "*.parquet", _TYPES[".parquet"])],
        "webdataset": [
            _file_set("image-members", "*.png", _TYPES[".png"], containedIn=archives),
            _file_set("label-members", "*.cls", "text/plain", containedIn=archives),
        ],
        "imagefolder": [_file_set("pictures", "train/*.png", _TYPES[".png"])],
        "npz": [],
    }
    return objects + sets[format]


def record_sets(
    format: FileFormat, class_names: Sequence[str], counts: Mapping[str, Mapping[str, int]], *, seeds: bool
) -> list[Node]:
    """Return how to read splits, classes and images.

    Args:
        format: of the files.
        class_names: by label; empty without classes.
        counts: images by split (`train`, `test`) and class.
        seeds: whether each image has the seed that it was drawn from.
    """
    if format == "npz":
        return []  # Croissant has no way to read an array
    numbers = ["label", *(["seed"] if seeds else [])]
    found = [_splits(counts), *([_classes(class_names, counts)] if class_names else [])]
    if format == "parquet":
        key = "images/seed" if seeds else "images/sha256"
        return [*found, _record_set("images", _of_parquet(numbers, labelled=bool(class_names)), key={"@id": key})]
    if format == "imagefolder":
        return [*found, _of_index(numbers), _record_set("images", _of_folder(numbers))]
    return [*found, _of_tars("images", "image", "sc:ImageObject"), _of_tars("labels", "label", "sc:Integer")]


def _of_parquet(numbers: Sequence[str], *, labelled: bool) -> list[Node]:
    shards = {"fileSet": {"@id": "shards"}}
    fields = [
        _field("images/image", "sc:ImageObject", {**shards, **_column("image"), "transform": {"jsonPath": "bytes"}}),
        _field("images/split", "sc:Text", {**shards, **_part_of("filename", "^(train|test)")}, "splits/name"),
        _field("images/sha256", "sc:Text", {**shards, **_column("sha256")}),
    ]
    for name in numbers:
        label = labelled and name == "label"
        reference = "classes/label" if label else None
        types = ["sc:Integer", "cr:Label"] if label else "sc:Integer"
        fields.append(_field(f"images/{name}", types, {**shards, **_column(name)}, reference))
    return fields


def _of_folder(numbers: Sequence[str]) -> list[Node]:
    pictures = {"fileSet": {"@id": "pictures"}}
    return [
        _field("images/image", "sc:ImageObject", {**pictures, "extract": {"fileProperty": "content"}}),
        _field("images/key", "sc:Text", {**pictures, **_part_of("fullpath", "^(?:train/)?(.+)$")}, "facts/key"),
        *(_field(f"images/{name}", "sc:Integer", {"field": {"@id": f"facts/{name}"}}) for name in numbers),
    ]


def _of_index(numbers: Sequence[str]) -> Node:
    index = {"fileObject": {"@id": INDEX}}
    fields = [_field("facts/key", "sc:Text", {**index, **_column("file_name")})]
    fields += [_field(f"facts/{name}", "sc:Integer", {**index, **_column(name)}) for name in numbers]
    return _record_set("facts", fields, key={"@id": "facts/key"})


def _of_tars(part: str, name: str, types: str) -> Node:
    """The members of one suffix, and the seed that is their name."""
    members = {"fileSet": {"@id": f"{name}-members"}}
    fields = [
        _field(f"{part}/{name}", types, {**members, "extract": {"fileProperty": "content"}}),
        _field(f"{part}/seed", "sc:Integer", {**members, **_part_of("filename", r"^0*(\d+)")}),
    ]
    return _record_set(part, fields, key={"@id": f"{part}/seed"})


def _splits(counts: Mapping[str, Mapping[str, int]]) -> Node:
    fields = [_field("splits/name", "sc:Text"), _field("splits/url", "sc:URL"), _field("splits/images", "sc:Integer")]
    data = [
        {"splits/name": split, "splits/url": _SPLITS[split], "splits/images": sum(by_class.values())}
        for split, by_class in counts.items()
    ]
    return _record_set("splits", fields, dataType="cr:Split", key={"@id": "splits/name"}, data=data)


def _classes(class_names: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> Node:
    fields = [_field("classes/label", "sc:Integer"), _field("classes/name", "sc:Text")]
    fields += [_field(f"classes/{split}", "sc:Integer") for split in counts]
    data = [
        {"classes/label": label, "classes/name": name}
        | {f"classes/{split}": by_class.get(name, 0) for split, by_class in counts.items()}
        for label, name in enumerate(class_names)
    ]
    return _record_set("classes", fields, dataType="sc:Enumeration", key={"@id": "classes/label"}, data=data)


def _record_set(name: str, fields: list[Node], **more: Any) -> Node:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, **more, "field": fields}


def _field(name: str, types: str | list[str], source: Node | None = None, reference: str | None = None) -> Node:
    found: Node = {"@type": "cr:Field", "@id": name, "name": name.partition("/")[2], "dataType": types}
    if source:
        found["source"] = source
    if reference:
        found["references"] = {"field": {"@id": reference}}
    return found


def _file_set(name: str, includes: str, encoding: str, **more: Any) -> Node:
    return {
        "@type": "cr:FileSet",
        "@id": name,
        "name": name,
        **more,
        "encodingFormat": encoding,
        "includes": includes,
    }


def _column(name: str) -> Node:
    return {"extract": {"column": name}}


def _part_of(file_property: str, regex: str) -> Node:
    return {"extract": {"fileProperty": file_property}, "transform": {"regex": regex}}
