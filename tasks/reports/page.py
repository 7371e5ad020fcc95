"""What the pages of ganflow share: templates in which every text is inert, and pictures inside the page."""

import base64
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from gan.data.pixels.png import encode_pngs
from gan.data.pixels.prepare import prepare
from gan.text.shown import inert

_SIDES = (96, 64, 48, 32, 16)  # to which pictures may be shrunk


def render(template: str, **values: Any) -> str:
    """Fill a template of `tasks/reports/templates`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        # Every text of the page comes by here before it is escaped, names of files and classes among them.
        finalize=lambda value: inert(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["number"] = "{:,}".format
    environment.filters["short"] = short
    environment.filters["width"] = "{:.2f}".format
    return environment.get_template(template).render(**values)


def short(text: str, most: int) -> str:
    """Leave out the middle of a text that is longer than `most` characters."""
    half = most // 2
    return text if len(text) <= most else f"{text[:half]} … {text[-half:]}"


def fitting_side(resolution: int, planes: int, most_bytes: int) -> int:
    """Return to which side to shrink images so that their pixels take `most_bytes` at most, or the smallest there is.

    Args:
        resolution: the images' side.
        planes: images times channels.
        most_bytes: of all pixels together, before PNG and base64.
    """
    sides = [resolution] if resolution <= _SIDES[0] else []
    sides += [side for side in _SIDES if side < resolution]
    return next((side for side in sides if planes * side**2 <= most_bytes), sides[-1])


def thumbnail_side(samples: Mapping[str, NDArray[np.uint8]], classes: int, most_bytes: int) -> int:
    """Return to which side to shrink the images of the first classes so that their pixels take `most_bytes` at most."""
    shown = list(islice(samples.values(), classes))
    if not shown:
        return 1
    _, resolution, _, channels = shown[0].shape
    return fitting_side(resolution, sum(map(len, shown)) * channels, most_bytes)


def thumbnails(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Shrink `[N, R, R, C]` uint8 images to `[N, side, side, C]`; smaller ones stay as they are."""
    _, resolution, _, channels = images.shape
    if resolution <= side:
        return images
    return np.stack(
        [prepare(image, resolution=side, crop="stretch", filter="lanczos", channels=channels) for image in images]
    )


def data_uris(images: NDArray[np.uint8], side: int) -> list[str]:
    """Return each of `[N, R, R, C]` uint8 images, shrunk to `side`, as an address that holds the picture itself."""
    return ["data:image/png;base64," + base64.b64encode(png).decode() for png in encode_pngs(thumbnails(images, side))]
