"""The few lines that a verb prints for people."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from gan.text.counted import counted
from gan.text.shown import inert

if TYPE_CHECKING:  # a verb imports its own flow, and no other
    from flows.pipeline import PipelineResult
    from flows.register import Registered
    from flows.retrain import Skipped
    from gan.configuration.provenance import Configuration
    from gan.data.building.file_counts import FileCounts
    from gan.data.origin import Origin
    from gan.metrics.evaluation import Evaluation, Metric
    from tasks.evaluate.compare import Compared
    from tasks.evaluate.record import Measured
    from tasks.generate.publishing import Released
    from tasks.ingest.step import Ingested
    from tasks.train.budget import Paused
    from tasks.train.step import Trained

MOST_NOTES = 5
LONGEST_TEXT = 100


def dataset_lines(result: "Ingested") -> list[str]:
    """Dataset md5, sizes, and what became of the push."""
    classes = f" in {result.classes} classes" if result.classes else " without labels"
    rejects = f", {result.rejects} rejected" if result.rejects else ""
    state = "new version" if result.changed else "unchanged"
    lines = [f"dataset   {result.md5} ({state}): {result.num_train} train + {result.num_test} test{classes}{rejects}"]
    lines += [] if result.files is None else [f"          {files_line(result.files)}"]
    lines += [f"          {note}" for note in result.notes[:MOST_NOTES]]
    if len(result.notes) > MOST_NOTES:
        lines.append(f"          and {counted(len(result.notes) - MOST_NOTES, 'more note')}")
    lines += [f"          {line}" for line in _origin_lines(result.origin, result.kept)]
    lines.append(f"          report {result.report}")
    return lines + ([f"          {result.push_error}"] if result.push_error else [])


def files_line(files: "FileCounts") -> str:
    """Say what every file of a source is; the counts add up to all of them."""
    from gan.data.sources.census import ONE_OF

    kinds = [counted(count, ONE_OF.get(kind, kind), kind) for kind, count in sorted(files.companions.items())]
    total = sum(files.companions.values())
    beside = f"{counted(total, 'companion')} ({', '.join(kinds)})" if total else "no companions"
    images = f"{files.images:,} with images" if files.holders else counted(files.images, "image")
    return f"{counted(files.files, 'file')}: {images}, {beside}, {files.rejects:,} rejected"


def training_lines(result: "Trained | Paused") -> list[str]:
    """Run id, length, and which checkpoint was taken; or where it paused."""
    from tasks.train.budget import Paused

    if isinstance(result, Paused):
        return [f"paused    {result.paused}"]
    picked = f", the best of {result.end_nimg / 1000:g} by kid {result.kid:.4g}" if result.kid is not None else ""
    cost = [] if result.cost_per_kimg is None else [f"          {result.cost_per_kimg:.3g} for 1,000 images trained"]
    return [
        f"run       {result.run_id}: {result.cur_nimg / 1000:g} kimg on dataset {result.dataset_md5}{picked}",
        *cost,
        f"          next: ganflow register {result.run_id}",
    ]


def evaluation_lines(result: "Evaluation") -> list[str]:
    """Metrics with intervals, protocol and warnings."""
    protocol = result.protocol
    rows = [*result.metrics.items(), *((f"real {key}", metric) for key, metric in result.baseline.items())]
    width = max(len(key) for key, _ in rows)
    table = [f"{key:<{width}}  {_score(metric)}" for key, metric in rows]
    return [
        f"metrics   {table[0]}",
        *(f"          {row}" for row in table[1:]),
        f"          {protocol.num_generated} against {protocol.num_reference} of {protocol.reference_split}, "
        f"resize {protocol.resize}, {protocol.network} in {protocol.precision}",
        *(f"          {warning}" for warning in result.warnings),
    ]


def measured_lines(result: "Measured") -> list[str]:
    """An evaluation, and where its page is."""
    return [*evaluation_lines(result.evaluation), f"report    {result.report}"]


def configuration_line(configuration: "Configuration") -> str:
    """Where the settings came from that a run or model was asked under, and what was changed of them."""
    return f"settings  {configuration}"


def compared_lines(result: "Compared") -> list[str]:
    """Two names, their scores, and where the page is."""
    return [
        f"compared  {result.a} with {result.b}",
        *evaluation_lines(result.evaluation),
        f"report    {result.report}",
    ]


def model_lines(result: "Registered") -> list[str]:
    """Metrics, version, alias and the reason for it."""
    return [
        *evaluation_lines(result.evaluation),
        f"report    {result.report}",
        f"model     version {result.version} is {result.alias}: {result.verdict.reason}",
    ]


def retraining_lines(result: "Registered | Skipped | Paused") -> list[str]:
    """What became of a retraining: a version, or why there is none."""
    from flows.retrain import Skipped
    from tasks.train.budget import Paused

    if isinstance(result, Paused):
        return training_lines(result)
    return [f"skipped   {result.skipped}"] if isinstance(result, Skipped) else model_lines(result)


def release_lines(result: "Released") -> list[str]:
    """Path and contents of a release."""
    from tasks.generate.licence import unsaid_line

    state = " (there already, checked)" if result.existed else ""
    signer = f"signed by {result.signed_by}" if result.signed_by else None
    removed = f"removed {', '.join(result.removed)}: older than those that are kept" if result.removed else None
    hub = f"pushed to {result.hub}, commit {result.hub_commit}" if result.hub else result.hub_error
    notes = (signer, *result.unchecked, unsaid_line(result.licence), result.push_error, hub, removed)
    return [
        f"release   {result.path}{state}: {counted(result.num_images, 'image')} of version {result.model_version}, "
        f"seeds from {result.first_seed}",
        *(f"          {note}" for note in notes if note),
    ]


def pipeline_lines(result: "PipelineResult") -> list[str]:
    """All of the chain."""
    version = result.model.version
    waits = [
        f"release   none: there is no champion to draw it from, and version {version} waits for a person",
        f"          next: ganflow promote {version} --force --reason '…', then ganflow generate",
    ]
    release = waits if result.release is None else release_lines(result.release)
    return [*dataset_lines(result.dataset), *model_lines(result.model), *release]


def _origin_lines(origin: "Origin", kept: Sequence[str]) -> Iterator[str]:
    """What is said of the images as a whole, and what of it stands since the version before."""
    for field, text in origin.model_dump(exclude_none=True).items():
        since = " (as said of the version before)" if field in kept else ""
        told = inert(text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…")
        yield f"{field.replace('_', ' ')} {told}{since}"


def _score(metric: "Metric") -> str:
    interval = f" ({metric.low:.4g} to {metric.high:.4g})" if metric.low is not None and metric.high is not None else ""
    return f"{metric.value:.4g}{interval}"
