"""The few lines that a verb prints for people."""

from flows.pipeline import PipelineResult
from flows.register import Registered
from gan.evaluate import summary
from gan.metrics.evaluation import Evaluation
from tasks.steps.generate import Released
from tasks.steps.ingest import Ingested
from tasks.steps.train import Trained

MOST_NOTES = 5


def dataset_lines(result: Ingested) -> list[str]:
    """Dataset md5, sizes, and what became of the push."""
    classes = f" in {result.classes} classes" if result.classes else ""
    rejects = f", {result.rejects} rejected" if result.rejects else ""
    state = "new version" if result.changed else "unchanged"
    lines = [f"dataset   {result.md5} ({state}): {result.num_train} train + {result.num_test} test{classes}{rejects}"]
    lines += [f"          {note}" for note in result.notes[:MOST_NOTES]]
    if len(result.notes) > MOST_NOTES:
        lines.append(f"          and {len(result.notes) - MOST_NOTES} more notes")
    lines.append(f"          report {result.report}")
    return lines + ([f"          {result.push_error}"] if result.push_error else [])


def training_lines(result: Trained) -> list[str]:
    """Run id and length."""
    return [
        f"run       {result.run_id}: {result.cur_nimg / 1000:g} kimg on dataset {result.dataset_md5}",
        f"          next: ganflow register {result.run_id}",
    ]


def evaluation_lines(result: Evaluation) -> list[str]:
    """Metrics with intervals, protocol and warnings."""
    protocol = result.protocol
    return [
        f"metrics   {summary(result)}",
        f"          {protocol.num_generated} generated against {protocol.num_reference} of {protocol.reference_split}, "
        f"resize {protocol.resize}, {protocol.network} in {protocol.precision}",
        *(f"          {warning}" for warning in result.warnings),
    ]


def model_lines(result: Registered) -> list[str]:
    """Metrics, version, alias and the reason for it."""
    return [
        *evaluation_lines(result.evaluation),
        f"model     gan-generator version {result.version} is {result.alias}: {result.verdict.reason}",
    ]


def release_lines(result: Released) -> list[str]:
    """Path and contents of a release."""
    state = " (there already, checked)" if result.existed else ""
    return [
        f"release   {result.path}{state}: {result.num_images} images of version {result.model_version}, "
        f"seeds from {result.first_seed}",
    ]


def pipeline_lines(result: PipelineResult) -> list[str]:
    """All of the chain."""
    return [*dataset_lines(result.dataset), *model_lines(result.model), *release_lines(result.release)]
