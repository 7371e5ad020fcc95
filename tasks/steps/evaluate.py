"""The step `evaluate`: scores under a protocol."""

import hashlib
import json
from typing import Any

import torch
from prefect import get_run_logger, task
from prefect.cache_policies import CacheKeyFnPolicy

from gan.config import Config
from gan.evaluate import Evaluator
from gan.export import export_program
from gan.metrics.evaluation import Evaluation
from gan.metrics.protocol import METRICS_VERSION
from gan.metrics.weights import find_inception_weights
from tasks import artifacts
from tasks.progress import progress
from tasks.registry import (
    find_model,
    load_generator,
    load_program,
)
from tasks.settings import Settings
from tasks.tracking import run_artifact


def device() -> torch.device:
    """Where features are computed."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _evaluation_key(_context: Any, parameters: dict[str, Any]) -> str:
    config: Config = parameters["config"]
    facts = [
        parameters["run_id"],
        parameters["dataset_md5"],
        config.evaluation.model_dump(mode="json"),
        METRICS_VERSION,
        torch.__version__,
    ]
    return "evaluation-" + hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@task(cache_policy=CacheKeyFnPolicy(cache_key_fn=_evaluation_key), persist_result=True, result_serializer="json")
def evaluate_generator(run_id: str, version: int | None, config: Config, dataset_md5: str) -> Evaluation:
    """Score a run's generator, as registered version or from its checkpoint. Buys a cache.

    The key is the training run, the dataset, the evaluation's settings and the metrics' code version, so a champion
    that was scored under the very protocol of a candidate is not passed through the network again.
    """
    settings, logger = Settings(), get_run_logger()
    if version is None:
        program: Any = export_program(load_generator(run_artifact(settings, run_id, "checkpoint"))).module()
        subject = f"run {run_id}"
    else:
        program = load_program(settings, find_model(settings, str(version)))
        subject = f"version {version}"
    # One evaluator at a time: it is dropped, with the network's 90 MB, when the task ends.
    evaluator = Evaluator(
        config.evaluation,
        data_dir=settings.data_dir,
        dataset_md5=dataset_md5,
        weights=find_inception_weights(settings.ganflow_inception_weights, settings.cache_dir),
        cache_dir=settings.cache_dir,
        device=device(),
    )
    with progress("evaluating", evaluator.images_to_pass, logger) as update:
        evaluator.on_progress = update
        evaluation = evaluator.evaluate(program)
    artifacts.metrics(evaluation, f"evaluation of {subject}")
    return evaluation
