"""What the rows of one or several files of labels say of the images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gan.data.records import UNLABELLED
from gan.data.sources.labels.files import LabelFile
from gan.data.sources.labels.matching import match_rows
from gan.data.sources.layout.names import in_order
from gan.data.sources.layout.words import split_of

ABSENT = "named in the file of labels but not there"


@dataclass(frozen=True)
class Found:
    """A file of labels, and the folder that its paths may begin at, with a slash behind it or nothing."""

    place: str
    file: LabelFile
    path: str


@dataclass(frozen=True)
class Rows:
    """What files of labels say.

    Attributes:
        labels: image to the index of its class, or -1 for none.
        class_names: in order.
        rejects: path and reason of each row that is of no use.
        labelled: False where the files say that there are no labels.
    """

    labels: Mapping[str, int]
    class_names: tuple[str, ...]
    rejects: tuple[tuple[str, str], ...]
    labelled: bool


def join(files: Sequence[Found], images: Sequence[str], places: Sequence[str], name: str) -> Rows:
    """Put files together and find the image of each row.

    Args:
        files: one for all images, or one for each of several folders.
        images: their paths from the top of the source.
        places: folders around everything, which written paths may begin at, with a slash behind each or nothing.
        name: what the source is called.
    """
    names = files[0].file.class_names
    if len(files) > 1:
        names = in_order(name for found in files for name in found.file.class_names)
    index = {each: label for label, each in enumerate(names)}
    labels: dict[str, int] = {}
    rejects: list[tuple[str, str]] = []
    for found in files:
        scope = in_scope(found.path, found.place, images)
        matched = match_rows(found.file.labels, scope, [found.place, *places], name)
        for row, label in found.file.labels.items():
            if image := matched.get(row):
                labels[image] = index[found.file.class_names[label]] if label >= 0 else UNLABELLED
            else:
                rejects.append((found.place + row, ABSENT))
        rejects += [(found.place + path, reason) for path, reason in found.file.rejects]
    return Rows(labels, names, tuple(rejects), any(found.file.labelled for found in files))


def in_scope(path: str, place: str, images: Sequence[str]) -> Sequence[str]:
    """Return the images that a file may speak of: those below its folder, and `train.csv` of those in `train/`."""
    if place:
        images = [image for image in images if image.startswith(place)]
    said = split_of(path.rpartition("/")[2].rpartition(".")[0])
    if said is None:
        return images
    folders = {image: image[len(place) :].split("/", 1)[0] for image in images}
    same = {folder for folder in set(folders.values()) if (found := split_of(folder)) and found.word == said.word}
    return [image for image in images if folders[image] in same] if same else images
