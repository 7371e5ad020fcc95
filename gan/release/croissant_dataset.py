"""What `croissant.json` says of a dataset of real images, from its `dataset.json`."""

from collections.abc import Sequence

from gan.data.store.dataset import DatasetInfo
from gan.release.croissant import Described, DescribedFile


def dataset_described(info: DatasetInfo, files: Sequence[DescribedFile]) -> Described:
    """Put together what is known of a dataset.

    Args:
        info: what `dataset.json` says; without a description it gets a sentence of size and number.
        files: the shards.
    """
    kinds = "grey" if info.channels == 1 else "colour"
    classes = f" of {info.num_classes} classes" if info.num_classes else ""
    size = f"{info.resolution}x{info.resolution}"
    own = f"{info.num_train + info.num_test} {kinds} images of {size} pixels{classes}, prepared for training."
    split = (
        "the source"
        if info.holdout_fraction is None
        else f"the hash of their pixels, a share of {info.holdout_fraction:g}"
    )
    rejects = ", ".join(f"{reason} {count}" for reason, count in sorted(info.rejects.items()))
    rai: dict[str, str | Sequence[str]] = {
        "dataCollection": f"The images are those of the source {info.name} ({info.source_kind}).",
        "dataCollectionType": ["Secondary Data analysis"],
        "dataPreprocessingProtocol": [
            f"Each image was made square ({info.crop}), resized to {size} pixels ({info.filter}), with "
            f"{info.background} under what is transparent, and stored without loss.",
            "Of images that are equal after that, one is kept.",
            f"Images are held out for testing by {split}.",
        ],
        "dataCollectionMissingData": f"{info.num_rejects} files of the source are left out"
        + (f" ({rejects})." if rejects else "."),
    }
    if info.num_classes:
        rai["dataAnnotationProtocol"] = "The labels are those of the source."
    return Described(
        name=info.name,
        description=info.description or own,
        format="parquet",
        class_names=info.class_names,
        counts=info.counts,
        files=files,
        licence=info.licence,
        source_url=info.source_url,
        credit=info.credit,
        rai=rai,
    )
