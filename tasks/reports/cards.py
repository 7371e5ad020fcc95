"""The cards that go with what ganflow hands out: a dataset card for a release, a model card for a version."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan.metrics.evaluation import Evaluation
from tasks.reports.markdown import cell, code, front_matter, name, prose

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)


def _size_category(count: int) -> str:
    return next((words for limit, words in _SIZES if count < limit), "10M<n<100M")


def metrics_table(evaluation: Evaluation) -> str:
    """A Markdown table of metrics with intervals, and the protocol under it."""
    lines = ["| metric | value | 95 % interval |", "|---|---|---|"]
    real = {f"{key} of held out real images": metric for key, metric in evaluation.baseline.items()}
    for key, metric in (evaluation.metrics | real).items():
        interval = "–" if metric.low is None or metric.high is None else f"{metric.low:.4g} to {metric.high:.4g}"
        lines.append(f"| {cell(key)} | {metric.value:.5g} | {interval} |")
    protocol = evaluation.protocol
    lines += [
        "",
        f"Protocol: {protocol.num_generated} generated images against {protocol.num_reference} of the split "
        f"{code(protocol.reference_split)}, resize {code(protocol.resize)}, {name(protocol.network)} in "
        f"{protocol.precision}, dataset {code(protocol.dataset_md5)}.",
    ]
    lines += [f"\n> {prose(warning)}" for warning in evaluation.warnings]
    return "\n".join(lines)


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


def model_card(
    *,
    class_names: Sequence[str],
    tags: dict[str, str],
    evaluation: Evaluation,
    kimg: float,
    warm_start: Mapping[str, Any] | None = None,
) -> str:
    """The description of a registered version."""
    began = (
        f"\nTraining began with version {warm_start['version']} (run {code(warm_start['run_id'])}), "
        f"which was trained on dataset {code(warm_start['dataset_md5'])}."
        if warm_start
        else ""
    )
    labels = (
        ", ".join(f"{index} = {name(each)}" for index, each in enumerate(class_names)) or "none: the label is ignored"
    )
    return f"""# Image generator

Trained for {kimg:g} kimg on dataset {code(tags["dataset_md5"])} with preset {code(tags["preset"])}.{began}

Input: `int64 [N, 2]`, each row (seed, label). Output: `uint8 [N, H, W, C]`. Label -1 draws the class from the seed.
Labels: {labels}.

```python
import mlflow, numpy as np
model = mlflow.pyfunc.load_model("models:/gan-generator@champion")
images = model.predict(np.array([[0, -1], [1, -1]], dtype=np.int64))
```

On a machine with CUDA add `model_config={{"device": "cpu"}}`. Give seeds as an int64 array or as JSON:
a DataFrame is cast to float32, which cannot hold seeds above 2**24.

{metrics_table(evaluation)}
"""
