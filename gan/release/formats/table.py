"""The formats by their names."""

from typing import cast

from gan.configuration.vocabulary import ReleaseFormat
from gan.release.formats import imagefolder, npz, parquet, webdataset
from gan.release.shard import Format

_FORMATS: dict[ReleaseFormat, object] = {
    "parquet": parquet,
    "webdataset": webdataset,
    "imagefolder": imagefolder,
    "npz": npz,
}


def format_named(name: ReleaseFormat) -> Format:
    """Return the module that writes and reads a format."""
    return cast(Format, _FORMATS[name])
