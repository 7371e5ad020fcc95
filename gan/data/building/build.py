"""From a source to a dataset folder: parts are read anywhere, then all is decided, then shards are written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gan.configuration.config import DataConfig
from gan.data.building.assemble import write_split
from gan.data.building.describe import describe, faint, notes, samples, sides
from gan.data.building.encode import Job, do
from gan.data.building.file_counts import FileCounts, count_files
from gan.data.building.near import DROPPED, NearDuplicates, find_near_duplicates, looks, near_notes
from gan.data.building.part_store import PartStore
from gan.data.building.plan import FEWEST, Plan, make_plan
from gan.data.building.recipe import Recipe
from gan.data.building.rejects import count_rejects, write_rejects
from gan.data.building.windows import look_over, refuse_far, standing_windows, window_notes, with_missing
from gan.data.origin import Origin
from gan.data.pixels.window import Windows
from gan.data.records import Source
from gan.data.store.dataset import DatasetInfo, write_dataset_info
from gan.errors import DatasetError
from gan.text.shown import inert

RunJobs = Callable[[Sequence[Job]], Iterator[tuple[int, bytes | None]]]


@dataclass(frozen=True, eq=False)
class Built:
    """What `build_dataset` made.

    Attributes:
        info: what `dataset.json` says.
        samples: class name -> the first training images, `[n, R, R, C]` uint8.
        notes: what a person should know: how images of more than 8 bits are shown, classes dropped or small, empty
            folders.
        sides: shortest, median and longest of the source images' shorter sides, in pixels.
        reused: records whose part was found finished.
        files: what the files of the source are, where it is one of files.
        near: near duplicates that there are, or were; None where they were not looked for.
    """

    info: DatasetInfo
    samples: dict[str, NDArray[np.uint8]]
    notes: tuple[str, ...]
    sides: tuple[int, int, int]
    reused: int
    files: FileCounts | None = None
    near: NearDuplicates | None = None


def in_this_process(jobs: Sequence[Job]) -> Iterator[tuple[int, bytes | None]]:
    """Do jobs one after the other; yield the number of each and what `do` returns."""
    return ((index, do(job)) for index, job in enumerate(jobs))


def build_dataset(
    source: Source,
    config: DataConfig,
    out: Path,
    *,
    work: Path,
    quarantine: Path,
    previous: Path | None = None,
    origin: Origin | None = None,
    run_jobs: RunJobs = in_this_process,
    on_progress: Callable[[int, int], None] | None = None,
) -> Built:
    """Decode, prepare, split and write a source as a dataset folder; equal input gives equal bytes.

    Memory grows with the number of images by some 200 bytes for each, not with their size.

    Args:
        source: where the images come from.
        config: how images are prepared, split and judged.
        out: a folder that is empty or does not exist yet.
        work: folder for finished parts; what a killed call left there is not done again.
        quarantine: file for the list of rejects, written whether this succeeds or not.
        previous: an earlier dataset; images that it has too stay in their shards, new ones go behind.
        origin: what is said of the images as a whole; it stands in `dataset.json` and changes nothing else.
        run_jobs: does jobs, in any order and anywhere; yields the number of each and its result, or None where it
            wrote it.
        on_progress: called with (records done, records in all).

    Raises:
        DatasetError: too many files are rejected, a split has fewer than 2 images, or settings and source disagree.
    """
    out.mkdir(parents=True, exist_ok=True)
    assert not any(out.iterdir()), f"{out} is not empty"
    standing = standing_windows(source, config, previous)
    store, windows, reused = _read(source, config, standing, work, run_jobs, on_progress or (lambda done, total: None))
    overview = look_over(windows, store)
    plan = make_plan(store, config, source.class_names, source.has_split)
    near = find_near_duplicates(store, plan, config, work) if looks(config, len(source)) else None
    if near and config.near_duplicates == "drop":
        plan = plan.without(near.dropped)
    write_rejects(quarantine, store, plan)
    rejects = count_rejects(store, plan)
    files = count_files(source, plan, rejects, more=len(store) - len(source))
    _refuse_rejects(source, config, rejects, len(store), quarantine)
    _refuse_small(source, config, plan)
    refuse_far(overview, standing)
    for split in ("train", "test"):
        write_split(store, plan, split, out, config.resolution, previous)
    info = describe(source, config, store, plan, rejects, origin or Origin(), overview, near)
    # Last, so that a folder with a dataset.json is complete.
    write_dataset_info(info, out)
    pictures = samples(store, plan, config.resolution)
    shown = window_notes(overview, standing, config) or faint(store, plan, config.resolution, pictures)
    remarks = tuple(map(inert, (*source.notes, *shown, *notes(plan, info), *near_notes(near, config))))
    return Built(info, pictures, remarks, sides(store, plan), reused, files, near)


def _read(
    source: Source,
    config: DataConfig,
    standing: Windows,
    work: Path,
    run_jobs: RunJobs,
    show: Callable[[int, int], None],
) -> tuple[PartStore, Windows, int]:
    """Read all parts; those with images whose window follows from the values of all are read once more."""
    recipe = Recipe.of(config, standing, pictures=looks(config, len(source)))
    jobs = [Job(part, recipe) for part in source.parts()]
    store = PartStore(work, [job.key() for job in jobs])
    total = len(source)
    reused = _do(store, jobs, run_jobs, lambda left: show(total - left, total))
    windows, waiting = with_missing(standing, store)
    if waiting:
        again = replace(recipe, windows=windows)
        jobs = [replace(job, recipe=again) if index in waiting else job for index, job in enumerate(jobs)]
        store = PartStore(work, [job.key() for job in jobs])
        further = total + sum(len(jobs[index].part) for index in waiting)
        _do(store, jobs, run_jobs, lambda left: show(further - left, further))
    return store, windows, reused


def _do(store: PartStore, jobs: Sequence[Job], run_jobs: RunJobs, show: Callable[[int], None]) -> int:
    """Do what is missing; show how many files are left, and return how many were done before."""
    missing = store.missing()
    left = sum(len(jobs[index].part) for index in missing)
    reused = sum(len(job.part) for job in jobs) - left
    show(left)
    for number, table in run_jobs([replace(jobs[index], to=store.path(index)) for index in missing]):
        if table is not None:
            store.put(missing[number], table)
        left -= len(jobs[missing[number]].part)
        show(left)
    return reused


def _refuse_rejects(source: Source, config: DataConfig, rejects: dict[str, int], count: int, quarantine: Path) -> None:
    # What a person asked to be dropped is nothing broken.
    rejects = {reason: number for reason, number in rejects.items() if reason not in DROPPED}
    total = sum(rejects.values())
    if total > config.max_reject_share * count:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(rejects.items(), key=lambda item: -item[1]))
        raise DatasetError(
            f"{total} of {count} files of {source.name} are rejected, more than {config.max_reject_share:.3g} of "
            f"all ({reasons}): see {quarantine}, repair or remove them, or raise --max-reject-share"
        )


def _refuse_small(source: Source, config: DataConfig, plan: Plan) -> None:
    train, test = len(plan.records("train")), len(plan.records("test"))
    if source.class_names and not plan.class_names:
        raise DatasetError(
            f"no class of {source.name} has data.min_class_images = {config.min_class_images} images to train on: "
            "add images or merge classes with data.class_map"
        )
    wanted = plan.split == "source" or config.holdout_fraction > 0
    if train < FEWEST or (wanted and test < FEWEST):
        how, what = ("by its own split", " or set data.split=hash")
        if plan.split == "hash":  # where so few are held out, no other fraction could hold out more
            how = "by the hash of their pixels"
            what = "" if train + test < 2 * FEWEST else f" or lower data.min_class_images = {config.min_class_images}"
        raise DatasetError(
            f"{source.name} gives {train} images for training and {test} held out {how}, but each needs at least "
            f"{FEWEST}: add images{what}"
        )
