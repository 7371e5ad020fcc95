"""How many images of each class a release is asked for, by its settings and by what the dataset holds."""

import json

from gan.configuration.config import ReleaseConfig
from gan.data.store.dataset import INFO_FILE, read_dataset_info
from gan.errors import DatasetError, ReleaseError
from gan.release.quotas import equal_quotas, filling_quotas, quotas_by_name, real_quotas
from tasks.dataset.publishing import POINTER
from tasks.dataset.repository import current_md5, ensure_data, version_files
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel


def asked_quotas(settings: Settings, model: RegisteredModel, config: ReleaseConfig) -> list[int]:
    """Return images by label; a model without classes has the one label -1 for all.

    Raises:
        ReleaseError: a class is asked for that the model does not know, or none lacks images.
        DatasetError: the dataset whose images count is not to be had.
    """
    names = model.class_names
    if not names:
        if config.balance in ("quotas", "fill"):
            raise ReleaseError(
                f"release.balance is {config.balance} but {model.name} version {model.version} has no classes: give "
                "--n, or set release.balance to equal"
            )
        return [config.num_images]
    if config.balance == "quotas":
        return quotas_by_name(config.quotas, names)
    if config.balance == "real":
        counts = _counts_of(settings, model.dataset_md5)
        known = [counts.get(name, 0) for name in names]
        if not any(known):
            raise ReleaseError(
                f"dataset {model.dataset_md5} has no image of a class of {model.name} version {model.version}: set "
                "release.balance to equal"
            )
        return real_quotas(config.num_images, known)
    if config.fill is not None:
        return _filling(settings, model, config.fill)
    return equal_quotas(config.num_images, len(names))


def _filling(settings: Settings, model: RegisteredModel, fill: int) -> list[int]:
    """What the classes of `data/`, which may be a newer version than the model's, lack."""
    ensure_data(settings)
    counts = read_dataset_info(settings.data_dir).counts["train"]
    rare = [name for name, count in counts.items() if count < fill]
    if unknown := [name for name in rare if name not in model.class_names]:
        raise ReleaseError(
            f"class «{unknown[0]}» of data/ has {counts[unknown[0]]} images but {model.name} version {model.version} "
            "does not know it: retrain on the dataset that is there, or give --balance FILE.csv"
        )
    quotas = filling_quotas(fill, [counts.get(name, fill) for name in model.class_names])
    if not any(quotas):
        fewest = min(counts.values())
        raise ReleaseError(f"every class of data/ has {fewest} images or more, so none lacks any of {fill}: fill more")
    return quotas


def _counts_of(settings: Settings, md5: str) -> dict[str, int]:
    """Training images by class of a version of the dataset."""
    if current_md5(settings) == md5:
        ensure_data(settings)
        return read_dataset_info(settings.data_dir).counts["train"]
    path = version_files(settings, md5, POINTER.format(md5)).get(INFO_FILE)
    try:
        if path is None:
            raise ValueError("it has no description")
        counts = json.loads(path.read_bytes())["counts"]["train"]
        found = {name: count for name, count in counts.items() if type(count) is int and count >= 0}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"the classes of dataset {md5} cannot be counted ({error}): ingest it again") from None
    return found
