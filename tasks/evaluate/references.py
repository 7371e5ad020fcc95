"""What generators are measured against: a version of the dataset, or any set of images."""

from collections.abc import Callable, Sequence
from pathlib import Path

from gan.data.image_sets.image_set import open_image_set
from gan.data.store.dataset import INFO_FILE, read_dataset_info
from gan.data.store.resident import SPLITS, Resident
from gan.errors import ConfigError
from gan.evaluation.real import RealImages
from tasks.dataset.current import load_version
from tasks.runtime.settings import Settings


def dataset_version(settings: Settings, md5: str, class_names: Sequence[str]) -> RealImages:
    """A version of the dataset, from the cache or `data/`.

    Raises:
        DatasetError: it is in neither.
    """
    return real_images(
        md5, class_names, lambda split: load_version(settings.data_dir, settings.resident_dir, md5, split)
    )


def real_images(md5: str, class_names: Sequence[str], load: Callable[[str], Resident]) -> RealImages:
    """A version of the dataset, each split from where `load` finds it."""
    splits = {split: load(split) for split in SPLITS}
    return RealImages(md5, {name: split for name, split in splits.items() if len(split)}, tuple(class_names))


def image_folder(path: Path, class_names: Sequence[str], scratch: Path) -> RealImages:
    """Any images: a dataset folder with its splits, or a release, a folder or an archive without.

    Args:
        path: where they are.
        class_names: what the generator draws; empty for an unconditional one.
        scratch: a folder for decoded images, deleted by the caller when it is done with them.

    Raises:
        DatasetError: there are no images that can be read.
        ConfigError: the generator draws other classes than these images have.
    """
    whole = open_image_set(path, scratch=scratch)
    require_same_classes(class_names, whole.class_names)
    splits = {"all": Resident(whole.images, whole.labels)}
    if (path / INFO_FILE).is_file() and any(path.glob("*.parquet")):
        # the whole set has the training images first
        count = read_dataset_info(path).num_train
        splits = {
            split: Resident(whole.images[rows], whole.labels[rows])
            for split, rows in (("train", slice(count)), ("test", slice(count, None)))
            if len(whole.labels[rows])
        }
    return RealImages(whole.digest, splits, tuple(class_names), whole.sequence)


def require_same_classes(drawn: Sequence[str], there: Sequence[str]) -> None:
    """Refuse to draw labels of a dataset from a model that knows other classes.

    Raises:
        ConfigError: the model has classes, and they are not the dataset's.
    """
    if drawn and tuple(drawn) != tuple(there):
        raise ConfigError(
            f"the model draws the classes {', '.join(drawn)} but the dataset has {', '.join(there) or 'none'}: "
            "train a new one with `ganflow retrain`"
        )
