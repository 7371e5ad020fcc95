"""The dataset folder's `dataset.json`: what a reader needs to know before it opens a shard."""

import json
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from gan.configuration.config import Crop, Filter
from gan.configuration.vocabulary import SourceKind
from gan.data.origin import FIELDS, Origin
from gan.data.records import MANIFEST as MANIFEST
from gan.data.records import UNLABELLED_NAME as UNLABELLED_NAME
from gan.errors import DatasetError

INFO_FILE = "dataset.json"


class DatasetInfo(BaseModel):
    """What `dataset.json` says. Nothing here depends on the time or place of ingesting.

    Attributes:
        format_version: of the folder; another is refused.
        name: of the source.
        source_kind: which sort of source it was.
        licence: an SPDX expression; null, and not written, where nobody said one; so with the next three.
        source_url: where the images are published.
        credit: who is to be named.
        description: what the images show.
        resolution: side of the square images, in pixels.
        channels: 1 grey, 3 RGB.
        class_names: by label; empty where images have no labels.
        crop: how an image became square.
        filter: resampling filter.
        background: colour under transparent pixels and around padded images.
        window: which values of images of more than 8 bits were asked to be shown as 0 to 255; null, and not written,
            where there are none; so with the next.
        windows: those values, by the group of images that share them: `unsigned`, `signed` and `float`.
        class_map: new names of the source's classes, null for those left out.
        split: who held images out: the source, or the hash of their pixels.
        holdout_fraction: share held out by hash; null where the source did it.
        num_train: images to train on.
        num_test: images held out.
        counts: images by split and class name (`unlabelled` where there are no classes).
        mean: of the training images' values by channel, in [0, 1].
        std: their standard deviation.
        rejects: files by reason.
        near_duplicates: score up to which images that are nearly equal to one that stays were dropped; null, and not
            written, where nobody asked for that.
        asked: what a person said of how the source is to be read, by option; null, and not written, where nothing was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format_version: Literal[2] = 2
    name: str
    source_kind: SourceKind
    licence: str | None = None
    source_url: str | None = None
    credit: str | None = None
    description: str | None = None
    resolution: int
    channels: Literal[1, 3]
    class_names: tuple[str, ...]
    crop: Crop
    filter: Filter
    background: str
    window: str | None = None
    windows: dict[str, tuple[int | float, int | float]] | None = None
    class_map: dict[str, str | None]
    split: Literal["hash", "source"]
    holdout_fraction: float | None
    num_train: int
    num_test: int
    counts: dict[str, dict[str, int]]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rejects: dict[str, int]
    near_duplicates: float | None = None
    asked: dict[str, str | tuple[str, ...]] | None = None

    @property
    def num_classes(self) -> int:
        """Number of classes; 0 where images have no labels."""
        return len(self.class_names)

    @property
    def origin(self) -> Origin:
        """What was said of the images as a whole."""
        return Origin(**{field: getattr(self, field) for field in FIELDS})

    @property
    def num_rejects(self) -> int:
        """Files of the source that are not in the dataset."""
        return sum(self.rejects.values())


def read_dataset_info(folder: Path) -> DatasetInfo:
    """Read `dataset.json` of a dataset folder.

    Raises:
        DatasetError: there is none, or it is malformed.
    """
    path = folder / INFO_FILE
    try:
        return DatasetInfo.model_validate_json(path.read_bytes())
    except OSError:
        raise DatasetError(f"no dataset at {folder}: run `ganflow ingest digits`") from None
    except ValidationError as error:
        mistake = error.errors()[0]
        key = ".".join(str(part) for part in mistake["loc"]) or "the file"
        raise DatasetError(f"{path} is malformed ({key}: {mistake['msg']}): ingest the dataset again") from None


def write_dataset_info(info: DatasetInfo, folder: Path) -> None:
    """Write `dataset.json`; what nobody has said does not stand there, so that its bytes are those of before."""
    unsaid = {
        field for field in (*FIELDS, "window", "windows", "near_duplicates", "asked") if getattr(info, field) is None
    }
    text = json.dumps(info.model_dump(mode="json", exclude=unsaid), indent=2, ensure_ascii=False) + "\n"
    (folder / INFO_FILE).write_text(text, "utf-8")
