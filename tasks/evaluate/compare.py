"""Two sets of images compared: opened, passed through the network with a bar, and shown on a page."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from gan.configuration.config import EvaluationConfig
from gan.configuration.vocabulary import AskedPrecision, Resize
from gan.data.image_sets.image_set import ImageSet, open_image_set
from gan.data.store.dataset import MANIFEST
from gan.errors import InputError
from gan.evaluation.comparison import Comparison, require_sizes
from gan.metrics.evaluation import Evaluation
from tasks.evaluate.extraction import open_extraction, resolve_precision
from tasks.evaluate.report import evaluation_html
from tasks.runtime.progress import progress
from tasks.runtime.settings import Settings

SetOfImages = tuple[Path, str | None]


class Compared(BaseModel):
    """How alike two sets of images are, and where the page about it is."""

    model_config = ConfigDict(frozen=True)

    a: str
    b: str
    evaluation: Evaluation
    report: str


def comparing_config(
    paths: Iterable[Path], *, resize: Resize | None = None, precision: AskedPrecision | None = None
) -> EvaluationConfig:
    """How sets are compared: as is asked for, else as the first release among them says that its model was measured.

    Its precision is not taken over, for that was the hardware's.
    """
    own = next((found for found in map(_as_measured, paths) if found), {})
    asked = {"resize": resize, "precision": precision}
    return EvaluationConfig.model_validate(own | {key: value for key, value in asked.items() if value})


def _as_measured(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_text("utf-8"))
        protocol = Evaluation.model_validate(manifest["quality"]).protocol
        own = {"resize": protocol.resize} | ({"neighbours": protocol.neighbours} if protocol.neighbours else {})
        EvaluationConfig.model_validate(own)  # a record may say what none can be asked for
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}  # no release; other collections have files of this name too
    return own


def compare_paths(
    settings: Settings,
    a: SetOfImages,
    b: SetOfImages,
    holdout: Path | None,
    *,
    config: EvaluationConfig,
    n: int | None,
    network: Path | None,
    report: Path,
    scratch: Path,
    on_warning: Callable[[str], None] = lambda sentence: None,
) -> Compared:
    """Compare two sets of images.

    Args:
        settings: where features are kept.
        a: path and split of what is judged.
        b: path and split of what it is compared with.
        holdout: images like those of `b`, to count copies with.
        config: network settings.
        n: images of each; None for all.
        network: a TorchScript file instead of Inception.
        report: the page, which is written last.
        scratch: a folder for decoded images.
        on_warning: called with a sentence where this device only emulates the precision asked for.

    Raises:
        InputError: a set cannot be read or is too small, or the page cannot be written.
    """
    if not report.parent.is_dir() or report.is_dir():
        raise InputError(f"{report} cannot be written (no such folder): give --report another path")
    sets = {name: _open(name, path, split, scratch) for name, (path, split) in (("A", a), ("B", b))}
    held = _open("the holdout", holdout, None, scratch) if holdout else None
    require_sizes(sets["A"], sets["B"], n)
    config = resolve_precision(settings, config)
    comparison = Comparison(
        sets["A"],
        sets["B"],
        holdout=held,
        config=config,
        extraction=open_extraction(settings, config, network=network, on_warning=on_warning),
        cache_dir=settings.cache_dir,
        split=_split_name(b[1]),
        n=n,
    )
    with progress("comparing", comparison.images_to_pass) as update:
        comparison.on_progress = update
        compared = comparison.run()
    title = f"{sets['A'].name} against {sets['B'].name}"
    facts = {name: f"{images.name}, {len(images):,} images" for name, images in sets.items()}
    page = evaluation_html(title=title, subject=facts, evaluation=compared.evaluation, pictures=compared.pictures)
    try:
        report.write_text(page, "utf-8")
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise InputError(f"{report} cannot be written ({reason}): give --report another path") from None
    return Compared(a=sets["A"].name, b=sets["B"].name, evaluation=compared.evaluation, report=str(report.absolute()))


def _split_name(split: str | None) -> Literal["train", "test", "all"]:
    return "train" if split == "train" else "test" if split == "test" else "all"


def _open(name: str, path: Path, split: str | None, scratch: Path) -> ImageSet:
    with progress(f"reading {name}", 0) as update:
        return open_image_set(
            path, split=split, scratch=scratch, on_progress=lambda done, total: update(done, total=total)
        )
