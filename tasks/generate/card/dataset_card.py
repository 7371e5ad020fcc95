"""The dataset card that lies in a release as its README."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan.metrics.evaluation import Evaluation
from tasks.generate.card.loading import configurations, loading_section
from tasks.generate.card.origin import lineage_section, origin_section
from tasks.generate.card.privacy import privacy_section
from tasks.generate.card.proof import checks_section, marks_section, selection_section
from tasks.generate.card.uses import limits_section, uses_sections
from tasks.reports.hugging_face import licence_words, size_category, source_words
from tasks.reports.markdown import cell, code, front_matter, name
from tasks.reports.metrics_markdown import metrics_table


def dataset_card(manifest: Mapping[str, Any], class_names: Sequence[str]) -> str:
    """A release's README.md with Hugging Face front matter; nothing in it depends on when or where it is written.

    Args:
        manifest: what `manifest.json` says, all but `files`. `dataset` (what was said of the images that were trained
            on), `selection`, `checks`, `marks` and `signed_by` may be missing; then the card says so, or nothing.
        class_names: by label; empty where images have none.
    """
    evaluation = Evaluation.model_validate(manifest["quality"])
    dataset = manifest.get("dataset") or {}
    sections = (
        release_front_matter(manifest, class_names),
        _beginning(manifest),
        uses_sections(manifest),
        limits_section(manifest, evaluation),
        privacy_section(manifest),
        origin_section(dataset),
        lineage_section(manifest),
        selection_section(manifest),
        checks_section(manifest),
        f"## Quality\n\n{metrics_table(evaluation)}",
        marks_section(manifest),
        loading_section(manifest),
    )
    return "\n\n".join(section for section in sections if section) + "\n"


def release_front_matter(manifest: Mapping[str, Any], class_names: Sequence[str]) -> str:
    """Return YAML between two lines of dashes, by which Hugging Face lists and reads a dataset."""
    dataset = manifest.get("dataset") or {}
    found = configurations(manifest)
    values: dict[str, Any] = {
        "pretty_name": f"Synthetic images {manifest['name']}",
        **licence_words(dataset.get("licence"), dataset.get("source_url")),
        "task_categories": ["image-classification"] if class_names else ["unconditional-image-generation"],
        "size_categories": [size_category(manifest["generation"]["num_images"])],
        # Labels are what the generator was asked for.
        "annotations_creators": ["machine-generated" if class_names else "no-annotation"],
        "source_datasets": source_words(dataset.get("name"), dataset.get("source_url")),
        "tags": ["synthetic", "gan"],
        **({"configs": found} if found else {}),
    }
    return front_matter(values)


def _beginning(manifest: Mapping[str, Any]) -> str:
    generation, model, image = manifest["generation"], manifest["model"], manifest["image"]
    counts = "\n".join(f"| {cell(label)} | {count} |" for label, count in manifest["counts"].items())
    facts = "model version, seed, label" + (", truncation" if "truncation" in generation else "")
    return f"""# Synthetic images {name(manifest["name"])}

{generation["num_images"]} images of {image["width"]}x{image["height"]} pixels,
drawn from version {model["version"]} of the model {code(model["name"])}.

![samples](samples.png)

| class | images |
|---|---|
{counts}

The generator was trained on dataset {code(manifest["dataset_md5"])} in run {code(model["run_id"])}.
Each image is a function of ({facts}): the `seed` and `label` beside it make it again.
`manifest.json` holds the settings, every file's sha256, and the quality figures."""
