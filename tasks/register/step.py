"""The steps `register` and promote: a version, and its alias."""

import hashlib
import json
from pathlib import Path

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE

from gan.configuration.provenance import Configuration
from gan.evaluation.gate import Decision
from gan.training.checkpoint import HASHES, load_header
from tasks.evaluate.record import Measured
from tasks.register.card_facts import card_facts
from tasks.register.model_card import description, model_card
from tasks.reports import artifacts
from tasks.runtime.retry import step
from tasks.runtime.scratch import local_scratch
from tasks.runtime.settings import Settings
from tasks.tracking.client import RunLog, client
from tasks.tracking.inputs import log_scores, version_model_id
from tasks.tracking.registry import (
    find_model,
    load_generator,
    promote,
    register_version,
)
from tasks.tracking.runs import run_artifact, run_tags


@step(cache_policy=NO_CACHE)
def register_generator(run_id: str, measured: Measured, configuration: Configuration) -> int:
    """Export a run's generator, register it as challenger, store its evaluation. Buys a retry.

    Args:
        run_id: the training run.
        measured: its evaluation.
        configuration: under which it was measured.
    """
    settings, evaluation = Settings(), measured.evaluation
    log = RunLog(client(settings), run_id)
    checkpoint = run_artifact(settings, run_id, "checkpoint")
    header = load_header(checkpoint)
    tags = run_tags(settings, run_id)
    facts = {key: tags[key] for key in ("dataset_md5", "preset")} | {"class_names": json.dumps(header.label_names)}
    card = model_card(
        class_names=header.label_names,
        tags=facts,
        evaluation=evaluation,
        kimg=header.cur_nimg / 1000,
        found=card_facts(settings, run_id, header),
        warm_start=header.warm_start,
    )
    with local_scratch("evaluation") as folder:
        evaluation.to_json(folder / "evaluation.json")
        log.file(folder / "evaluation.json")
    if Path(measured.report).exists():  # a cached evaluation outlives its page on this machine
        log.file(Path(measured.report))
    how = {"configuration": str(configuration)}
    log.tags({"evaluation_run": measured.evaluation_run} | how)
    log.text(card, "model_card.md")
    scores = {key: f"{value:.6g}" for key, value in evaluation.values.items()}
    model = register_version(
        settings,
        log,
        load_generator(checkpoint),
        checkpoint=hashlib.sha256((checkpoint / HASHES).read_bytes()).hexdigest(),
        config=header.config,
        tags=facts | scores | how,
        card=description(card),
    )
    dataset_md5, model_id = evaluation.protocol.dataset_md5, version_model_id(settings, model.version)
    log_scores(log, evaluation.values, header.cur_nimg, dataset_md5=dataset_md5, model_id=model_id)
    log.tags({"model_version": str(model.version)})
    return model.version


@step(cache_policy=NO_CACHE)
def promote_or_keep(version: int, verdict: Decision) -> str:
    """Move the aliases as the verdict says; returns the version's alias. Buys a retry and an artifact."""
    settings = Settings()
    model = find_model(settings, str(version))
    if verdict.promote:
        promote(settings, model)
    alias = "champion" if verdict.promote else "challenger"
    client(settings).set_tag(model.run_id, "verdict", f"{alias}: {verdict.reason}")
    get_run_logger().info("version %d is %s: %s", version, alias, verdict.reason)
    artifacts.decision(version, alias, verdict)
    return alias
