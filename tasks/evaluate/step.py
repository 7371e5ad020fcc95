"""The step `evaluate`: scores under a protocol, and a page to look at."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from prefect import get_run_logger
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.utilities.importtools import to_qualified_name

from gan.configuration.provenance import Configuration
from gan.evaluation.evaluator import Evaluator
from gan.evaluation.real import RealFeatures
from gan.metrics.evaluation import Evaluation
from gan.metrics.protocol import METRICS_VERSION
from gan.training.checkpoint import HASHES
from tasks.evaluate.extraction import open_extraction
from tasks.evaluate.record import Measured, keep_evaluation
from tasks.evaluate.references import dataset_version, image_folder
from tasks.evaluate.subjects import Subject
from tasks.reports import artifacts
from tasks.runtime.progress import progress
from tasks.runtime.retry import step
from tasks.runtime.scratch import scratch_folder
from tasks.runtime.settings import Settings


def _evaluation_key(_context: Any, parameters: dict[str, Any]) -> str | None:
    subject: Subject = parameters["subject"]
    configuration: Configuration = parameters["configuration"]
    if parameters["data"] or parameters["network"]:
        return None  # what a path holds may change
    weights = (subject.checkpoint / HASHES).read_text() if subject.checkpoint else None
    facts = [
        subject.run_id,
        subject.version,
        weights,
        parameters["dataset_md5"],
        configuration.config.evaluation.model_dump(mode="json"),
        METRICS_VERSION,
        Evaluation.model_fields["format_version"].default,  # a record of before lacks what the gate looks at
        to_qualified_name(Measured),  # by which a kept result is read: with another one it cannot be
        torch.__version__,
    ]
    return "evaluation-" + hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@step(cache_policy=CacheKeyFnPolicy(cache_key_fn=_evaluation_key), persist_result=True, result_serializer="json")
def evaluate_generator(
    subject: Subject,
    configuration: Configuration,
    dataset_md5: str,
    data: str | None = None,
    network: str | None = None,
) -> Measured:
    """Score a generator against a version of the dataset, or other images. Buys a retry, a cache and artifacts.

    The key is the generator, the dataset, the evaluation's settings and the metrics' code version, so a champion
    that was scored under the very protocol of a candidate is not passed through the network again.

    Args:
        subject: what is measured.
        configuration: its section `evaluation` says how, with a precision from `resolve_precision`.
        dataset_md5: the version that it is measured against.
        data: a path of other images instead.
        network: a TorchScript file instead of Inception.
    """
    settings, logger, config = Settings(), get_run_logger(), configuration.config.evaluation
    with scratch_folder(settings, "evaluation") as scratch:
        if data:
            real = image_folder(Path(data), subject.class_names, scratch)
        else:
            real = dataset_version(settings, dataset_md5, subject.class_names)
        extraction = open_extraction(
            settings, config, network=Path(network) if network else None, on_warning=logger.warning
        )
        features = RealFeatures(real, extraction, settings.cache_dir, config.seed)
        evaluator = Evaluator(config, real=real, features=features)
        with progress("evaluating", evaluator.images_to_pass, logger) as update:
            evaluator.on_progress = update
            evaluated = evaluator.evaluate(subject.program(settings, extraction.extractor.network.device))
    measured = keep_evaluation(
        settings,
        evaluated,
        title=subject.title,
        facts=subject.facts | {"configuration": str(configuration)},
        step=subject.cur_nimg,
        training_run=subject.run_id,
        version=subject.version,
    )
    artifacts.metrics(measured.evaluation, f"evaluation of {subject.title}")
    artifacts.report(settings, measured)
    return measured
