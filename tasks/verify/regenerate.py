"""Images of a release drawn again from (version, seed, label), and held against those that are there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

from gan.errors import GanflowError
from gan.generation.precision import same_image
from gan.generation.sampling import Program
from tasks.runtime.settings import Settings
from tasks.tracking.registry import load_program
from tasks.tracking.versions import RegisteredModel, find_model
from tasks.verify.images import Sampled
from tasks.verify.record import Findings, Stated, some
from tasks.verify.state import no_registry

_MOST_BATCH = 2**12
"""A manifest may say anything: beyond this, batches have long stopped to change a bit."""


class CannotRegenerateError(Exception):
    """Why nothing can be drawn again, in words that follow «nothing was drawn again:»."""


@dataclass(frozen=True)
class Regenerated:
    """How many images were drawn again, how many of them are equal bit by bit, and how many nearly so."""

    drawn: int
    equal: int
    near: int


def registered_program(settings: Settings, stated: Stated) -> tuple[RegisteredModel, Program]:
    """Load the version that drew a release, truncated as that was.

    Raises:
        CannotRegenerateError: there is no registry here, it is away, or it does not have that very version.
    """
    if missing := no_registry(settings):
        raise CannotRegenerateError(missing)
    wanted = stated.model
    own = settings.model_copy(update={"ganflow_model": wanted.name})
    try:
        found = find_model(own, str(wanted.version))
        if found.run_id != wanted.run_id:
            raise CannotRegenerateError(
                f"version {wanted.version} of {wanted.name} in the registry at {settings.tracking_place} is of another "
                "training run than the one that drew the release"
            )
        drawn_by = stated.generation
        return found, load_program(own, found, drawn_by.truncation, drawn_by.precision)
    except GanflowError as error:
        raise CannotRegenerateError(str(error)) from None


def regenerate(
    model: RegisteredModel, program: Program, stated: Stated, sample: Sequence[Sampled], findings: Findings
) -> Regenerated:
    """Draw images again, in batches of the size that they were drawn in, each at the place that its row has there.

    Args:
        model: the version.
        program: the same, loaded, on the CPU.
        stated: what the manifest says.
        sample: the images that are there.
        findings: where to say which are not what the generator makes.
    """
    known = [each for each in sample if -1 <= each.label < len(model.class_names)]
    if unknown := [each.row for each in sample if not -1 <= each.label < len(model.class_names)]:
        findings.wrong(
            "generator", f"rows with labels that {model.name} version {model.version} has not: {some(unknown)}"
        )
    others: dict[int, int] = {}
    equal, bf16 = 0, stated.generation.precision == "bf16"
    size = min(stated.generation.batch_size, _MOST_BATCH)
    for batch in _batches(known, size):
        filling = next(iter(batch.values()))
        drawn = [batch.get(place, filling) for place in range(size)]
        rows = torch.tensor([(each.seed, each.label) for each in drawn], dtype=torch.int64)
        with torch.no_grad(), _one_thread():
            images = program(rows).cpu().numpy()
        for place, each in batch.items():
            again = images[place]
            if again.shape != each.pixels.shape:
                others[each.row] = 255
            elif np.array_equal(again, each.pixels):
                equal += 1
            elif not same_image(again, each.pixels, bf16=bf16):
                others[each.row] = int(np.abs(again.astype(np.int16) - each.pixels).max())
    if others:
        findings.wrong(
            "generator",
            f"{len(others)} of {len(known)} images that were drawn again are not what {model.name} version "
            f"{model.version} makes of their seed and label (row {some(sorted(others))}), by up to "
            f"{max(others.values())} grey levels",
        )
    return Regenerated(len(known), equal, len(known) - equal - len(others))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Each batch of a release is drawn on one thread: several add up in another order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _batches(sample: Sequence[Sampled], size: int) -> list[dict[int, Sampled]]:
    """Put images into as few batches as may be: at the place of their row where it is free, else at the next."""
    batches = []
    for start in range(0, len(sample), size):
        batch: dict[int, Sampled] = {}
        for each in sample[start : start + size]:
            place = each.row % size
            while place in batch:
                place = (place + 1) % size
            batch[place] = each
        batches.append(batch)
    return batches
