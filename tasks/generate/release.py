"""The release folder: a synthetic dataset, complete and checked before it gets its name."""

import errno
import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any

import torch

from gan.configuration.config import ReleaseConfig
from gan.configuration.vocabulary import Precision
from gan.data.files.digest import file_sha256
from gan.errors import ReleaseError
from gan.generation.sampling import Program, images_of_a_pass
from gan.metrics.evaluation import Evaluation
from gan.release.quotas import equal_quotas
from gan.release.recipe import Recipe, Selection
from gan.release.rows import LAST_SEED, has_room, row_labels, shard_starts
from gan.release.shard import Marks
from tasks.generate.card.dataset_card import dataset_card
from tasks.generate.filling import Filling
from tasks.generate.here import Here
from tasks.generate.judging import Judge, Judgement
from tasks.generate.manifest import (
    EXACT_COPIES,
    FORMAT_VERSION,
    counts_by_class,
    require_files,
    selection_facts,
    verify_release,
    write_manifest,
)
from tasks.generate.marking import Proof, write_croissant
from tasks.generate.names import first_seed, require_free, require_name
from tasks.generate.packed import PUBLISHING, Counting, Drawer
from tasks.generate.partial import Partial, partial_release, take_back
from tasks.generate.signature import SigningKey, sign_manifest
from tasks.runtime.scratch import scratch_beside
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel

_SHARD_BYTES = 2**28  # decoded: what a process holds of a release is about a shard or two
_MOST_AT_ONCE = 250  # images per call of the generator
_SOFTWARE = ("torch", "pyarrow", "imagecodecs", "numpy")
"""With others of these the rest of a release might differ from what is there of it."""
_UNSAID = {"truncation": 1.0}


@dataclass(frozen=True)
class Release:
    """A finished release.

    Attributes:
        folder: `synthetic/<name>`; in quarantine where something stands against it.
        manifest: what `manifest.json` says.
        existed: it was complete before, and was checked instead of made.
        judgement: what was found of it; None where nobody judged.
    """

    folder: Path
    manifest: dict[str, Any]
    existed: bool
    judgement: Judgement | None = None

    @property
    def refused(self) -> tuple[str, ...]:
        """What stands against it, in sentences; none of one that is published."""
        return self.judgement.look.against if self.judgement else ()


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
    quotas: Sequence[int] | None = None,
    proof: Proof | None = None,
    judge: Judge | None = None,
    drawer: Drawer | None = None,
    precision: Precision = "fp32",
    on_progress: Callable[[int], None] | None = None,
    counting: Counting = lambda what, total: lambda done: None,
    on_warning: Callable[[str], None] = lambda sentence: None,
) -> Release:
    """Draw a release shard by shard into a partial folder, check it, and give it its name.

    Shards that an earlier command of the same settings left are taken as they are. What is left of the partial folder
    stays until the release is recorded: `forget_partial`.

    Args:
        settings: where `synthetic/` is.
        model: the registered version.
        program: the same version, loaded, with the truncation that `config` says.
        config: how many images, in which batches, shards and format.
        name: the release's name, a plain folder name.
        evaluation: the version's evaluation, for the manifest.
        training_digests: sha256 of each training image's pixels, in which copies are looked up.
        configuration: where `config` comes from, in words, for the manifest.
        seed: first seed; derived from version and name without one.
        quotas: images by label; equal ones without them.
        proof: marks, origin and signature; none of them without it.
        judge: chooses images, and says whether the release is fit to be handed on; all are kept without one.
        drawer: draws the blocks; this process without one.
        precision: that it draws in.
        on_progress: called with the images done.
        counting: called with what is done next of what follows.
        on_warning: called with a sentence where an unfinished release of other settings is thrown away.

    Raises:
        ReleaseError: the name cannot be a folder's, a release of that name exists with other settings or lies in
            quarantine, or its files do not match its manifest; or a quota cannot be met.
    """
    _claim(settings, name)
    selection, proof = judge.selecting.selection if judge else Selection(), proof or Proof()
    quotas = quotas or equal_quotas(config.num_images, max(1, len(model.class_names)))
    wanted = _wanted(model, config, name, sum(quotas), config.max_attempts if selection.rejects else 1, seed)
    folder, counts = settings.synthetic_dir / name, counts_by_class(quotas, model.class_names)
    if folder.exists():
        manifest = verify_release(folder)
        _require_same(name, manifest, model, wanted | _asked(config), counts, proof.key)
        return Release(folder, manifest, existed=True)
    shape = _shape_of(program)
    wanted.setdefault("batch_size", images_of_a_pass(*shape[:2], _MOST_AT_ONCE))
    about: dict[str, Any] = {
        "model": {"name": model.name, "version": model.version, "run_id": model.run_id},
        "dataset_md5": model.dataset_md5,
        "generation": {**wanted, "precision": precision},
        "configuration": configuration,
        "image": dict(zip(("height", "width", "channels"), shape, strict=True)),
        "counts": counts,
    }
    recipe, starts = _recipe(model, about["generation"], shape, selection, proof.marks)
    with partial_release(settings, name, _identity(wanted, about, recipe), recipe.shards) as partial:
        if partial.other:
            on_warning("the unfinished release {} had {} {}, not {}: it is begun anew".format(name, *partial.other))
        labels = row_labels(recipe.first_seed, quotas) - (0 if model.class_names else 1)
        filling = Filling(partial, recipe, shape, labels, starts, drawer or Here(program), counting)
        filling.draw(training_digests, on_progress or (lambda done: None))
        judgement = judge(filling, quotas) if judge else None
        manifest = {
            **{"format_version": FORMAT_VERSION, "name": name, **about, **proof.stated()},
            "selection": _chosen(filling, selection, judgement),
            "quality": evaluation.model_dump(mode="json"),
            **(judgement.stated() if judgement else {"privacy": {EXACT_COPIES: filling.exact_copies}}),
        }
        _finish(partial, filling, manifest, model.class_names, proof.key)
        if judgement and not judgement.look.fit:
            folder = settings.quarantine_dir / name
        elif judge:
            judge.keep(filling)
        _publish(partial, folder)
    return Release(folder, manifest, existed=False, judgement=judgement)


def _chosen(filling: Filling, selection: Selection, judgement: Judgement | None) -> dict[str, Any]:
    """What was drawn and what of it was rejected, and what that cost where it was measured."""
    facts = selection_facts(filling.records, filling.recipe.class_names, selection.described)
    return facts | (judgement.cost() if judgement else {})


def _claim(settings: Settings, name: str) -> None:
    """Take a name that is free; a release that has it and was killed before it was recorded is unfinished again."""
    require_name(name)
    for place in (settings.synthetic_dir / name, settings.quarantine_dir / name):
        take_back(settings, place)
    require_free(settings, name)


def _finish(
    partial: Partial, filling: Filling, manifest: dict[str, Any], class_names: Sequence[str], key: SigningKey | None
) -> None:
    """Write what all shards share, the manifest last, and look at it all once more."""
    filling.counting(PUBLISHING, filling.recipe.num_images)(0)
    folder = partial.files
    files = filling.finish(dataset_card(manifest, class_names))
    described = write_croissant(folder, manifest, class_names, files)
    manifest["files"] = dict(sorted((files | {described.name: file_sha256(described)}).items()))
    write_manifest(folder, manifest)
    if key:
        sign_manifest(folder, key)
    require_files(folder, manifest["files"])


def _wanted(
    model: RegisteredModel, config: ReleaseConfig, name: str, total: int, attempts: int, seed: int | None
) -> dict[str, Any]:
    """Settings by which a release of the same name is recognised."""
    start = first_seed(model.name, model.version, name) if seed is None else seed
    if not has_room(start, total, attempts):
        remedy = "ask for fewer" if seed is None else "give a smaller --seed"
        raise ReleaseError(
            f"seeds from {start} for {total} images, drawn up to {attempts} times, leave [0, {LAST_SEED}]: {remedy}"
        )
    return {
        "num_images": total,
        "first_seed": start,
        # null leaves it to the images' size, and to a release that is there
        **({} if config.batch_size is None else {"batch_size": config.batch_size}),
        "format": config.format,
        "shard_images": config.shard_images,
        "balance": config.balance,
        "max_attempts": attempts,
        # of a release without, nothing is said: its bytes are those of before there was any
        **({"truncation": config.truncation} if config.truncation < 1.0 else {}),
    }


def _asked(config: ReleaseConfig) -> dict[str, str]:
    """The precision, where a person names one; else a release that is there may have any."""
    return {} if config.precision == "auto" else {"precision": config.precision}


def _recipe(
    model: RegisteredModel, wanted: Mapping[str, Any], shape: tuple[int, int, int], selection: Selection, marks: Marks
) -> tuple[Recipe, list[int]]:
    """Return what blocks are drawn by, and the first row of each."""
    most = max(1, min(wanted["shard_images"], _SHARD_BYTES // (shape[0] * shape[1] * shape[2])))
    starts = shard_starts(wanted["num_images"], most)
    recipe = Recipe(
        num_images=wanted["num_images"],
        first_seed=wanted["first_seed"],
        batch_size=wanted["batch_size"],
        class_names=model.class_names,
        shards=len(starts) - 1,
        format=wanted["format"],
        max_attempts=wanted["max_attempts"],
        marks=marks,
        selection=selection,
        precision=wanted["precision"],
    )
    return recipe, starts


def _identity(wanted: Mapping[str, Any], about: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """All that the bytes of a shard depend on; what a person sets comes first, to be named where it differs."""
    marks = recipe.marks
    marked = {"chunks": marks.chunks.hex(), "metadata": dict(marks.metadata), "fields": dict(marks.fields)}
    software = {package: version_of(package) for package in _SOFTWARE}
    return {
        **_UNSAID,
        **wanted,
        **about,
        "selection": recipe.selection.described,
        "marks": marked,
        "software": software,
    }


def _require_same(
    name: str,
    manifest: Mapping[str, Any],
    model: RegisteredModel,
    wanted: Mapping[str, Any],
    counts: Mapping[str, int],
    key: SigningKey | None,
) -> None:
    found = {"model_version": manifest["model"]["version"], **_UNSAID, **manifest["generation"]}
    for setting, value in {"model_version": model.version, **_UNSAID, **wanted}.items():
        if found.get(setting, value) != value:  # a release of an older ganflow lacks some
            raise ReleaseError(
                f"release {name} exists with {setting} {found[setting]}, not {value}: give another --name"
            )
    there = manifest.get("counts")
    if there != counts:
        raise ReleaseError(f"release {name} exists with other images by class: give another --name")
    signer = manifest.get("signed_by")
    if key and signer != key.fingerprint:
        by = f"signed by {signer}" if signer else "without a signature"
        raise ReleaseError(f"release {name} exists {by}, not signed by {key.fingerprint}: give another --name")


@torch.no_grad()
def _shape_of(program: Program) -> tuple[int, int, int]:
    height, width, channels = program(torch.zeros(1, 2, dtype=torch.int64)).shape[1:]
    return height, width, channels


def _publish(partial: Partial, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(partial.files, folder)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # GANFLOW_HOME/synthetic may be a mount of its own: copy beside the goal, then rename.
        with scratch_beside(folder.parent, "release") as near:
            shutil.copytree(partial.files, near / folder.name)
            os.replace(near / folder.name, folder)
        shutil.rmtree(partial.files)
