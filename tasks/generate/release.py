"""The release folder: a synthetic dataset, complete and checked before it gets its name."""

import errno
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gan.configuration.config import ReleaseConfig
from gan.data.files.digest import file_sha256
from gan.data.store.dataset import MANIFEST
from gan.data.store.shards import read_column, read_split, split_rows, write_shards
from gan.errors import ReleaseError
from gan.generation.grids import class_grid_png
from gan.generation.sampling import Program, draw
from gan.metrics.evaluation import Evaluation
from tasks.generate.dataset_card import dataset_card
from tasks.runtime.scratch import scratch_beside, scratch_folder
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel

FORMAT_VERSION = 1
LAST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Release:
    """A finished release.

    Attributes:
        folder: `synthetic/<name>`.
        manifest: what `manifest.json` says.
        existed: it was complete before, and was checked instead of made.
    """

    folder: Path
    manifest: dict[str, Any]
    existed: bool


def first_seed(model: str, version: int, name: str) -> int:
    """Where a release's seeds start: a number in [0, 2**62) derived from model, version and release name."""
    digest = hashlib.sha256(f"{model}/{version}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


def next_name(settings: Settings, version: int) -> str:
    """The first of `v<version>-001`, `-002`, … that is not tracked yet; one that was killed gets its name again."""
    number = 1
    while (settings.synthetic_dir / f"v{version}-{number:03d}.dvc").exists():
        number += 1
    return f"v{version}-{number:03d}"


def build_release(
    settings: Settings,
    model: RegisteredModel,
    program: Program,
    config: ReleaseConfig,
    *,
    name: str,
    evaluation: Evaluation,
    training_digests: Collection[str],
    configuration: str,
    seed: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Release:
    """Draw a release into a temporary folder, check it, and give it its name.

    Args:
        settings: where `synthetic/` is.
        model: the registered version.
        program: the same version, loaded.
        config: how many images, in which batches.
        name: the release's name, a plain folder name.
        evaluation: the version's evaluation, for the manifest.
        training_digests: sha256 of each training image's pixels, in which copies are looked up.
        configuration: where `config` comes from, in words, for the manifest.
        seed: first seed; derived from version and name without one.
        on_progress: called with the images done.

    Raises:
        ReleaseError: the name cannot be a folder's, a release of that name exists with other settings, or its files
            do not match its manifest.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise ReleaseError(f"a release cannot be called «{name}»: give --name a plain folder name")
    if seed is not None and not 0 <= seed <= LAST_SEED - config.num_images:
        raise ReleaseError(
            f"seeds from {seed} for {config.num_images} images leave [0, {LAST_SEED}]: give a smaller --seed"
        )
    folder = settings.synthetic_dir / name
    start = first_seed(model.name, model.version, name) if seed is None else seed
    wanted = {"num_images": config.num_images, "first_seed": start, "batch_size": config.batch_size}
    if folder.exists():
        manifest = verify_release(folder)
        found = {"model_version": manifest["model"]["version"], **manifest["generation"]}
        for key, value in {"model_version": model.version, **wanted}.items():
            if found[key] != value:
                raise ReleaseError(f"release {name} exists with {key} {found[key]}, not {value}: give another --name")
        return Release(folder, manifest, existed=True)
    settings.synthetic_dir.mkdir(parents=True, exist_ok=True)
    with scratch_folder(settings, "release") as temporary:
        partial = temporary / name
        partial.mkdir()
        manifest = _fill(
            partial, model, program, wanted, evaluation, training_digests, name, configuration, on_progress
        )
        verify_release(partial)
        try:
            os.replace(partial, folder)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # GANFLOW_HOME/synthetic may be a mount of its own: copy beside the goal, then rename.
            with scratch_beside(settings.synthetic_dir, "release") as near:
                shutil.copytree(partial, near / name)
                os.replace(near / name, folder)
    return Release(folder, manifest, existed=False)


def _fill(
    folder: Path,
    model: RegisteredModel,
    program: Program,
    generation: dict[str, int],
    evaluation: Evaluation,
    training_digests: Collection[str],
    name: str,
    configuration: str,
    on_progress: Callable[[int], None] | None,
) -> dict[str, Any]:
    count, classes = generation["num_images"], len(model.class_names)
    seeds = np.arange(generation["first_seed"], generation["first_seed"] + count, dtype=np.int64)
    labels = np.arange(count, dtype=np.int64) % classes if classes else np.full(count, -1, dtype=np.int64)
    batches = []
    done = 0
    for batch in draw(program, seeds, labels, generation["batch_size"]):
        batches.append(batch)
        done += len(batch)
        if on_progress:
            on_progress(done)
    images = np.concatenate(batches)
    write_shards(folder, "train", images, labels, class_names=model.class_names, extra={"seed": seeds})
    drawn = read_column(folder, "train", "sha256")
    by_label = Counter(labels.tolist())
    manifest: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "model": {"name": model.name, "version": model.version, "run_id": model.run_id},
        "dataset_md5": model.dataset_md5,
        "generation": {**generation, "precision": "fp32"},
        "configuration": configuration,
        "image": {"height": images.shape[1], "width": images.shape[2], "channels": images.shape[3]},
        "counts": {label: by_label[index] for index, label in enumerate(model.class_names)} or {"unlabelled": count},
        "quality": evaluation.model_dump(mode="json"),
        "privacy": {"exact_copies_of_training_images": sum(digest in training_digests for digest in drawn)},
    }
    (folder / "samples.png").write_bytes(class_grid_png(images, labels))
    (folder / "README.md").write_text(dataset_card(manifest, model.class_names), "utf-8")
    manifest["files"] = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", "utf-8")
    return manifest


def verify_release(folder: Path) -> dict[str, Any]:
    """Check every file against the manifest, decode every image, and return the manifest.

    Raises:
        ReleaseError: a file is missing, extra or changed, or the rows are not as many as it says.
        DatasetError: a shard is broken.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        files, count = dict(manifest["files"].items()), manifest["generation"]["num_images"]
        # What `build_release` compares; a manifest that lacks any of it is none of ours.
        manifest["model"]["version"], manifest["generation"]["first_seed"], manifest["generation"]["batch_size"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReleaseError(
            f"{folder} has no readable {MANIFEST}: remove the folder and generate the release again"
        ) from None
    there = {path.name for path in folder.iterdir()} - {MANIFEST}
    wrong = sorted(there ^ set(files)) or [name for name in files if file_sha256(folder / name) != files[name]]
    if wrong:
        raise ReleaseError(
            f"{folder / wrong[0]} is not as {MANIFEST} says: remove the folder and generate the release again"
        )
    decoded = sum(len(labels) for _, labels in read_split(folder, "train"))
    if not decoded == split_rows(folder, "train") == count:
        raise ReleaseError(f"{folder} has {decoded} images but {MANIFEST} says {count}: generate the release again")
    return manifest
