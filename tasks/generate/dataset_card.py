"""The dataset card that lies in a release as its README."""

from collections.abc import Sequence
from typing import Any

from gan.metrics.evaluation import Evaluation
from tasks.reports.markdown import cell, code, front_matter, name
from tasks.reports.metrics_markdown import metrics_table

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def _size_category(count: int) -> str:
    return next((words for limit, words in _SIZES if count < limit), "10M<n<100M")


def dataset_card(manifest: dict[str, Any], class_names: Sequence[str]) -> str:
    """A release's README.md with Hugging Face front matter."""
    generation, model, image = manifest["generation"], manifest["model"], manifest["image"]
    front = {
        "pretty_name": f"Synthetic images {manifest['name']}",
        "task_categories": ["image-classification"] if class_names else ["unconditional-image-generation"],
        "size_categories": [_size_category(generation["num_images"])],
        "tags": ["synthetic", "gan"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "train-*.parquet"}]}],
    }
    counts = "\n".join(f"| {cell(label)} | {count} |" for label, count in manifest["counts"].items())
    copies = manifest["privacy"]["exact_copies_of_training_images"]
    return f"""{front_matter(front)}

# Synthetic images {name(manifest["name"])}

{generation["num_images"]} images of {image["width"]}x{image["height"]} pixels,
drawn from version {model["version"]} of the model {code(model["name"])}.
{copies} of {generation["num_images"]} images equal a training image pixel for pixel. Whether others come near to one
was not looked at in this release.

![samples](samples.png)

| class | images |
|---|---|
{counts}

The generator was trained on dataset {code(manifest["dataset_md5"])} in run {code(model["run_id"])}.
Each image is a function of (model version, seed, label): the columns `seed` and `label` beside it make it again.
`manifest.json` holds the settings, every file's sha256, and the quality figures.

## Quality

{metrics_table(Evaluation.model_validate(manifest["quality"]))}
"""
