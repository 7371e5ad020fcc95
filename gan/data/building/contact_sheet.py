"""Pictures of a source before it is ingested: a few of each class, prepared as they would be."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gan.configuration.config import DataConfig
from gan.configuration.window import parse_window
from gan.data.building.preview import sample_parts
from gan.data.pixels.prepare import prepare
from gan.data.pixels.window import Seen, Windows, find_windows, look_at, read_seen, to_8_bits
from gan.data.records import UNLABELLED, UNLABELLED_NAME, Deep, Reject, Source, SourceImage
from gan.data.sources.folder import FolderSource


def pictures(
    source: Source, config: DataConfig, resolution: int, classes: int, each: int
) -> dict[str, NDArray[np.uint8]]:
    """Prepare some images of each class as an ingest would, for a look at them.

    Args:
        source: where they come from.
        config: how they are cropped and shown; a window that follows from all values is found from these alone.
        resolution: side of the pictures, R.
        classes: how many classes have some at most.
        each: how many of each at most.

    Returns:
        Class name to `[n, R, R, C]` uint8; a class none of whose images can be read, or was met, is left out.
    """
    windows = Windows(parse_window(config.window))
    found, waiting = _prepared(source, config, resolution, classes, each, windows)
    if waiting:
        windows = windows.with_found(find_windows(waiting, windows.asked))
        found, _ = _prepared(source, config, resolution, classes, each, windows)
    names = (*source.class_names, UNLABELLED_NAME)
    channels = max((image.shape[2] for images in found.values() for image in images), default=1)
    return {
        names[label]: np.stack([image.repeat(channels // image.shape[2], axis=2) for image in found[label]])
        for label in sorted(found, key=lambda label: (label < 0, label))
    }


def _prepared(
    source: Source, config: DataConfig, resolution: int, classes: int, each: int, windows: Windows
) -> tuple[dict[int, list[NDArray[np.uint8]]], list[Seen]]:
    """Prepare images by label; return what is seen of those whose window is not known, too."""
    found: dict[int, list[NDArray[np.uint8]]] = {}
    waiting: list[Seen] = []
    for record in _of_classes(source, classes, each):
        if isinstance(record, Reject) or not UNLABELLED <= record.label < classes:
            continue
        pixels, images = record.pixels, found.setdefault(record.label, [])
        if isinstance(pixels, Deep):
            window = windows.of(pixels)
            seen = look_at(pixels, with_histogram=window is None)
            if window is None and seen:
                waiting.append(read_seen(seen))
            if window is None or not seen:
                continue
            pixels = to_8_bits(pixels, window, config.background_rgb)
        if len(images) < each:
            images.append(
                prepare(
                    pixels,
                    resolution=resolution,
                    crop=config.crop,
                    filter=config.filter,
                    channels=pixels.shape[2] if config.channels == "auto" else config.channels,
                    background=config.background_rgb,
                )
            )
    return {label: images for label, images in found.items() if images}, waiting


def _of_classes(source: Source, classes: int, each: int) -> Iterator[SourceImage | Reject]:
    """Yield some images of each class, or from all over the source where only reading tells which class they are of."""
    count = min(classes, len(source.class_names))
    if not isinstance(source, FolderSource):
        yield from sample_parts(source.parts(), each * max(1, count))
        return
    for label in range(count) if count else [None]:
        yield from source.some(each, label).read()
