"""Which columns of a Parquet file hold images and labels: told by Hugging Face's metadata, by name, or by type."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from gan.data.files.blob import UnreadableError
from gan.data.sources.labels.classes import MAX_CLASSES

# Earlier names go first.
IMAGE_COLUMNS = ("image", "img", "images", "picture", "photo", "jpg", "jpeg", "png", "webp", "bytes", "data", "content")
LABEL_COLUMNS = ("label", "labels", "class", "class_name", "category", "target", "fine_label", "cls", "y")
_SPEAKING = re.compile(r"categor|class|label|species|target", re.I)
NO_IMAGES = "no column of images"
NO_LABELS = "no such column of labels"
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns to read.

    Attributes:
        image: name of the column of images.
        label: name of the column of labels; nothing where there is none.
        nested: whether images are structs with a field `bytes`, as Hugging Face has them, rather than bytes.
        names: class names where the file's metadata has them, else None.
        note: what a person should know about the choice; nothing where it was plain.
    """

    image: str
    label: str = ""
    nested: bool = False
    names: tuple[str, ...] | None = None
    note: str = ""

    @property
    def leaf(self) -> str:
        """What Parquet calls the bytes of the images."""
        return f"{self.image}.bytes" if self.nested else self.image


def find_columns(schema: pa.Schema, asked: str | None = None) -> Columns:
    """Choose the columns.

    Args:
        schema: of the file.
        asked: the column of labels, where somebody has named it.

    Raises:
        UnreadableError: no column holds images, several may, or the metadata's class names make no sense; or what is
            asked for is no column of labels.
    """
    features = _features(schema)
    image = _find_image(schema, features)
    label, note = (_asked_label(schema, asked), "") if asked else _find_label(schema, features)
    for name in [image, label]:
        if schema.names.count(name) > 1:
            raise UnreadableError("two columns of one name", _cut(name))
    names = _class_names(features[label]) if label in _declared(schema, features) else None
    return Columns(image, label, pa.types.is_struct(schema.field(image).type), names, note)


def _features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return what Hugging Face's `datasets` wrote about each column."""
    try:
        found = json.loads(schema.metadata[b"huggingface"])["info"]["features"].items()
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}
    return {name: feature for name, feature in found if isinstance(feature, dict)}


def _find_image(schema: pa.Schema, features: dict[str, dict[str, Any]]) -> str:
    possible = [field.name for field in schema if _has_bytes(field.type)]
    declared = [name for name in possible if features.get(name, {}).get("_type") == "Image"]
    named = _by_name(declared or possible, IMAGE_COLUMNS)
    if not declared and not named and len(possible) > 1:
        raise UnreadableError("several columns that may hold images", _cut(", ".join(possible)))
    chosen: list[str] = named or declared or possible
    if not chosen:
        raise UnreadableError(NO_IMAGES, _why_none(schema))
    return chosen[0]


def _why_none(schema: pa.Schema) -> str:
    """Say what the column holds that is called as columns of images are, else which columns there are."""
    for name in _by_name(schema.names, (*IMAGE_COLUMNS, "image_path", "path", "file_name", "pixels")):
        kind = schema.types[schema.names.index(name)]
        if words := _words_for(kind):
            return f"{_cut(name)} is {_cut(str(kind))}, {words}"
    return f"its columns are {_cut(', '.join(schema.names)) or 'none'}"


def _words_for(kind: pa.DataType) -> str:
    if is_text(kind):
        return "so paths, addresses or base64"
    if pa.types.is_struct(kind):
        return "which has no bytes"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return "so several images in a row" if _has_bytes(kind.value_type) else "so lists of pixels"
    return "so bytes of pixels" if pa.types.is_fixed_size_binary(kind) else ""


def _has_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and is_binary(kind.field("bytes").type)
    return is_binary(kind)


def is_binary(kind: pa.DataType) -> bool:
    """Return whether values of this type are bytes of any length."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view))


def _asked_label(schema: pa.Schema, asked: str) -> str:
    if asked not in schema.names:
        raise UnreadableError(NO_LABELS, f"its columns are {_cut(', '.join(schema.names))}")
    kind = schema.types[schema.names.index(asked)]
    if not _has_labels(kind):
        raise UnreadableError(NO_LABELS, f"{_cut(asked)} is {_cut(str(kind))}")
    return asked


def _find_label(schema: pa.Schema, features: dict[str, dict[str, Any]]) -> tuple[str, str]:
    """Return the name of the column and a note, each of which may be nothing."""
    declared = _declared(schema, features)
    named = _by_name(schema.names, LABEL_COLUMNS)
    usable = [name for name in named if _has_labels(schema.types[schema.names.index(name)])]
    chosen = _by_name(declared, LABEL_COLUMNS) or declared or usable
    if len(declared) > 1:
        return chosen[0], f"classes are those of the column {_cut(chosen[0])}, one of {_cut(', '.join(declared))}"
    if not chosen and named:
        kind = schema.types[schema.names.index(named[0])]
        return "", f"the column {named[0]} ({_cut(str(kind))}) names no class, so the images have no labels"
    speaking = [name for name in schema.names if _SPEAKING.search(name)]
    if not chosen and speaking:
        how = "name one with --label-column if it says what is shown"
        return "", f"the images have no labels, for {_cut(', '.join(speaking))} is not called as they are: {how}"
    return chosen[0] if chosen else "", ""


def _declared(schema: pa.Schema, features: dict[str, dict[str, Any]]) -> list[str]:
    return [
        field.name
        for field in schema
        if pa.types.is_integer(field.type)
        and features.get(field.name, {}).get("_type") == "ClassLabel"
        and features[field.name].get("names") is not None
    ]


def _has_labels(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (pa.types.is_integer, pa.types.is_boolean, pa.types.is_floating, pa.types.is_null)
    return is_text(kind) or any(test(kind) for test in tests)


def is_text(kind: pa.DataType) -> bool:
    """Return whether values of this type are text."""
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _by_name(names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    return [name for want in wanted for name in names if name.lower() == want]


def _class_names(feature: dict[str, Any]) -> tuple[str, ...]:
    names = feature["names"]
    texts = isinstance(names, list) and all(isinstance(name, str) and name for name in names)
    if not texts or len(set(names)) < len(names) or len(names) > MAX_CLASSES:
        raise UnreadableError("impossible class names in its metadata")
    if not all(name.isascii() or name.encode(errors="replace").decode() == name for name in names):
        raise UnreadableError("impossible class names in its metadata")
    return tuple(names)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
