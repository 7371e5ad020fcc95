"""The sections of a release's card on whose images it stems from, and on the chain from them to it."""

from collections.abc import Mapping
from typing import Any

from tasks.reports.markdown import cell, code, name

UNSAID = (
    "Nobody said under which licence the images are that the generator was trained on, or whom to name for them: ask "
    "where they come from before handing this release on."
)
_SAID = {
    "name": "source",
    "source_kind": "sort of source",
    "licence": "licence",
    "source_url": "published at",
    "credit": "credit",
    "description": "what they show",
}


def origin_section(dataset: Mapping[str, Any]) -> str:
    """Return what is recorded of the images that the generator was trained on.

    Args:
        dataset: `manifest["dataset"]`; empty where nobody recorded anything.
    """
    rows = [f"| {term} | {cell(str(dataset[key]))} |" for key, term in _SAID.items() if dataset.get(key)]
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    said = UNSAID
    if dataset.get("licence"):
        said = (
            f"The front matter names {code(str(dataset['licence']))} because the images that the generator learnt from "
            "are under it. Whether and how it binds what a generator draws is not for this card to say."
        )
    return "\n".join(["## Source and licence", "", *table, said])


def lineage_section(manifest: Mapping[str, Any]) -> str:
    """Return the chain from dataset to release; it holds no date, for the same release may be drawn at any time."""
    model, generation = manifest["model"], manifest["generation"]
    psi = generation.get("truncation")
    truncated = "" if psi is None else f", with truncation {psi:g}"
    through = manifest.get("learnt_through")
    lines = [
        f"1. dataset {code(manifest['dataset_md5'])}{_source(manifest)}",
        f"2. training run {code(model['run_id'])}" + (f", learnt through {name(str(through))}" if through else ""),
        f"3. version {model['version']} of the model {code(model['name'])}",
        f"4. this release, {name(manifest['name'])}: {generation['num_images']} images, seeds from "
        f"{generation['first_seed']}, drawn {generation['batch_size']} at a time{truncated}",
    ]
    if manifest.get("configuration"):
        lines.append(f"\nSettings: {code(str(manifest['configuration']))}.")
    return "\n".join(["## Lineage", "", *lines])


def _source(manifest: Mapping[str, Any]) -> str:
    source = (manifest.get("dataset") or {}).get("name")
    return f", from {name(str(source))}" if source else ""
