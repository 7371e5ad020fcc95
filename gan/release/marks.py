"""What every image of a release says of itself: that a trained model made it, which one, and of which release it is."""

from dataclasses import dataclass

from gan.release.xmp import (
    CREATOR_TOOL,
    SOURCE_TYPE,
    TRAINED_ALGORITHMIC_MEDIA,
    SourceMark,
    find_packet,
    read_packet,
    xmp_chunk,
    xmp_packet,
)


@dataclass(frozen=True)
class Mark:
    """What the images of one release have in common.

    Attributes:
        model: name of the registered model.
        version: its number.
        dataset_md5: what it was trained on.
        release: the release's name.
    """

    model: str
    version: int
    dataset_md5: str
    release: str

    @property
    def creator_tool(self) -> str:
        """The generator in a few words, as programs name themselves in what they write."""
        return f"ganflow {self.model}/{self.version}"

    @property
    def source(self) -> SourceMark:
        """What `read_mark` finds in each image of the release."""
        return SourceMark(TRAINED_ALGORITHMIC_MEDIA, self.creator_tool)

    def stated(self) -> dict[str, str]:
        """What the manifest says of the mark, by the names of its standard."""
        return {SOURCE_TYPE: TRAINED_ALGORITHMIC_MEDIA, CREATOR_TOOL: self.creator_tool}

    def fields(self) -> dict[str, str | int]:
        """The mark by the names of its standard, then by ours; a number is one."""
        return {
            **self.stated(),
            "model": self.model,
            "model_version": self.version,
            "dataset_md5": self.dataset_md5,
            "release": self.release,
        }


def png_chunks(mark: Mark) -> bytes:
    """Return the chunks for `encode_pngs`: the same for each image, so that marking costs copying 400 bytes."""
    return xmp_chunk(xmp_packet(TRAINED_ALGORITHMIC_MEDIA, mark.creator_tool))


def parquet_metadata(mark: Mark) -> dict[str, str]:
    """Return key-values for the metadata of a shard's schema, ours behind `ganflow.` among those of other programs."""
    return {name if ":" in name else f"ganflow.{name}": str(value) for name, value in mark.fields().items()}


def json_fields(mark: Mark, *, seed: int | None = None, label: int | None = None) -> dict[str, str | int]:
    """Return what the JSON beside an image of a WebDataset says.

    Args:
        mark: of the release.
        seed: of this image.
        label: of this image.
    """
    of_image = {"seed": seed, "label": label}
    return {**mark.fields(), **{name: value for name, value in of_image.items() if value is not None}}


def read_mark(png: bytes) -> SourceMark | None:
    """Return what a PNG of anyone's says of its source, None where it says nothing of it.

    Raises:
        ValueError: not a PNG, a broken one, or one whose XMP is broken; the message says which.
    """
    packet = find_packet(png)
    return None if packet is None else read_packet(packet)
