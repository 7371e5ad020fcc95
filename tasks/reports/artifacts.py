"""Prefect artifacts: what a person sees on the page of a flow run."""

import base64
import contextlib
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from prefect import get_run_logger
from prefect.artifacts import (
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)
from prefect.exceptions import MissingContextError

from gan.data.building.build import Built
from gan.data.building.rejects import read_rejects
from gan.data.pixels.png import encode_png
from gan.data.store.dataset import DatasetInfo
from gan.evaluation.gate import Decision
from gan.generation.grids import image_grid
from gan.metrics.evaluation import Evaluation
from gan.text.counted import counted
from gan.text.shown import reason_of
from tasks.reports import markdown
from tasks.reports.metrics_markdown import metrics_table
from tasks.reports.page import thumbnail_side, thumbnails
from tasks.runtime.settings import Settings
from tasks.tracking.client import client

if TYPE_CHECKING:  # it would bring torch to flows that need none
    from tasks.evaluate.record import Measured

CLASSES_PICTURED = 20
REJECTS_LISTED = 50
_SAMPLE_BYTES = 1_000_000  # of all pictures of an artifact, before they are enlarged and packed


def picture(key: str, png: bytes, description: str) -> None:
    """Show a PNG; it is embedded, so that no server is needed for it."""
    # Not an image artifact: Prefect's page prints the whole address below it, here 70,000 characters.
    source = "data:image/png;base64," + base64.b64encode(png).decode()
    text = markdown.prose(description)
    _show(create_markdown_artifact, key=key, markdown=f"![{text}]({source})", description=text)


def dataset(built: Built, md5: str) -> None:
    """Show what became of a source: a table of its classes and samples of each."""
    dataset_table(built.info, md5)
    dataset_samples(built.samples, md5)


def dataset_table(info: DatasetInfo, md5: str) -> None:
    """Show the images per class and split."""
    rows = [
        {"class": markdown.name(name), "train": info.counts["train"][name], "test": info.counts["test"][name]}
        for name in info.counts["train"]
    ]
    moments = ", ".join(f"{mean:.3f} ± {std:.3f}" for mean, std in zip(info.mean, info.std, strict=True))
    description = (
        f"dataset `{md5}` from {markdown.name(info.name)}: {info.num_train} + {info.num_test} images, "
        f"{info.resolution}x{info.resolution}x{info.channels}, mean ± standard deviation {moments}, "
        f"{counted(info.num_rejects, 'file')} rejected"
    )
    _show(create_table_artifact, key="dataset", table=rows, description=description)


def dataset_samples(samples: Mapping[str, NDArray[np.uint8]], md5: str) -> None:
    """Show the first training images of the first classes, `[n, R, R, C]` uint8 by class name, a row for each class."""
    side = thumbnail_side(samples, CLASSES_PICTURED, _SAMPLE_BYTES)
    blocks = []
    for name, images in islice(samples.items(), CLASSES_PICTURED):
        strip = image_grid(thumbnails(images, side), len(images), scale=max(1, 64 // side), gap=2)
        picture = base64.b64encode(encode_png(np.ascontiguousarray(strip))).decode()
        blocks += [markdown.name(name), f"![its first images to train on](data:image/png;base64,{picture})"]
    if len(samples) > CLASSES_PICTURED:
        blocks.append(f"These are {CLASSES_PICTURED} of {len(samples)} classes.")
    _show(
        create_markdown_artifact,
        key="dataset-samples",
        markdown="\n\n".join(blocks),
        description=f"the first images of dataset `{md5}`",
    )


def rejects(counts: Mapping[str, int], quarantine: Path) -> None:
    """Show how many files were rejected for which reason and the first of them, where there are any.

    Args:
        counts: files by reason.
        quarantine: the list of rejects.
    """
    if not (total := sum(counts.values())):
        return
    by_count = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [
        "| reason | files |",
        "|---|--:|",
        *(f"| {markdown.cell(reason)} | {count} |" for reason, count in by_count),
        "",
    ]
    listed = read_rejects(quarantine, REJECTS_LISTED)
    for reject in listed:
        detail = f" ({markdown.name(reject.detail)})" if reject.detail else ""
        lines.append(f"- {markdown.name(reject.path)}: {markdown.name(reject.reason)}{detail}")
    if total > len(listed):
        lines += ["", f"{total - len(listed)} more are listed in {markdown.name(quarantine.name)}."]
    description = f"{counted(total, 'file')} rejected"
    _show(create_markdown_artifact, key="dataset-rejects", markdown="\n".join(lines), description=description)


def metrics(evaluation: Evaluation, subject: str) -> None:
    """Show a table of metrics with their protocol."""
    title = markdown.prose(subject)
    _show(
        create_markdown_artifact,
        key="metrics",
        markdown=f"# {title}\n\n{metrics_table(evaluation)}",
        description=title,
    )


def report(settings: Settings, measured: "Measured") -> None:
    """Show where the page of an evaluation is: a link where MLflow has a server, else the file's path."""
    if settings.mlflow_page is None:
        place = f"The page of this evaluation: {markdown.code(measured.report)}"
        _show(
            create_markdown_artifact,
            key="evaluation-report",
            markdown=place,
            description="the page of this evaluation",
        )
        return
    experiment = client(settings).get_run(measured.evaluation_run).info.experiment_id
    address = f"{settings.mlflow_page}/#/experiments/{experiment}/runs/{measured.evaluation_run}"
    link("evaluation-report", f"{address}/artifacts/report.html", "the page of this evaluation")


def decision(version: int, alias: str, verdict: Decision) -> None:
    """Show what became of a candidate, and why."""
    reason = f"Decided by {markdown.code(verdict.metric)}: {markdown.prose(verdict.reason)}."
    rows = "\n".join(
        f"| {'✓' if each.passed else '✗'} | {markdown.cell(each.check)} | {markdown.prose(each.said)} |"
        for each in verdict.reasons
    )
    head = f"# Version {version} is {markdown.name(alias)}\n\n{reason}\n\n| | look | what it says |\n|---|---|---|"
    text = f"{head}\n{rows}\n"
    _show(create_markdown_artifact, key="decision", markdown=text, description="champion or challenger")


def table(key: str, rows: Sequence[Mapping[str, str]], description: str) -> None:
    """Show rows of texts from anywhere, by the names of their columns."""
    shown = [{column: markdown.name(value) for column, value in row.items()} for row in rows]
    _show(create_table_artifact, key=key, table=shown, description=markdown.prose(description))


def markdown_text(key: str, text: str, description: str) -> None:
    """Show a text that is Markdown already."""
    _show(create_markdown_artifact, key=key, markdown=text, description=markdown.prose(description))


def link(key: str, url: str, text: str) -> None:
    """Show a link."""
    _show(create_link_artifact, link=url, link_text=text, key=key)


def _show(create: Callable[..., object], *, key: str, **content: object) -> None:
    """Make an artifact; one that Prefect does not take is a warning, for what it shows is done."""
    try:
        create(key=key, **content)
    except Exception as error:
        with contextlib.suppress(MissingContextError):
            get_run_logger().warning("Prefect did not take the artifact %s (%s): it is left out", key, reason_of(error))
