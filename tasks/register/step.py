"""The steps `register` and promote: a version, and its alias."""

import hashlib
import json
from pathlib import Path

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run

from gan.configuration.config import GateConfig
from gan.configuration.parsing import parse_network
from gan.configuration.provenance import Configuration
from gan.evaluation.gate import Decision
from gan.evaluation.reason import Reason
from gan.training.checkpoint import HASHES, load_header
from tasks.champion.changing import Wish, promote, settle
from tasks.dataset.origin import recorded_origin
from tasks.evaluate.record import Measured
from tasks.register.card_facts import card_facts
from tasks.register.front_matter import model_front_matter
from tasks.register.model_card import description, model_card
from tasks.register.program_check import same_to_others
from tasks.reports import artifacts
from tasks.reports.decision import decision_html
from tasks.runtime.retry import step
from tasks.runtime.scratch import local_scratch
from tasks.runtime.settings import Settings
from tasks.tracking.client import RunLog, client
from tasks.tracking.comparable import Size
from tasks.tracking.inputs import log_scores, version_model_id
from tasks.tracking.registry import load_generator, register_version
from tasks.tracking.runs import run_artifact, run_tags
from tasks.tracking.version_tags import LEARNT_THROUGH, one_line, replace_tags
from tasks.tracking.versions import CHALLENGER, CHAMPION, find_model
from tasks.train.earlier import VERDICT, VERSION

GATE, DECISION = "gate.", "decision.html"
REASON_CHARACTERS = 2000  # of a tag; MLflow takes 5,000


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
    size = Size(parse_network(header.config).resolution, header.channels)
    tags = run_tags(settings, run_id)
    facts = {key: tags[key] for key in ("dataset_md5", "preset")} | {"class_names": json.dumps(header.label_names)}
    origin = recorded_origin(settings, header.dataset_md5)
    found = card_facts(settings, run_id, header, origin)
    through = {} if found.learnt_through is None else {LEARNT_THROUGH: found.learnt_through}
    card = model_card(
        model=settings.model,
        class_names=header.label_names,
        tags=facts,
        evaluation=evaluation,
        kimg=header.cur_nimg / 1000,
        found=found,
        warm_start=header.warm_start,
    )
    with local_scratch("evaluation") as folder:
        evaluation.to_json(folder / "evaluation.json")
        log.file(folder / "evaluation.json")
    if Path(measured.report).exists():  # a cached evaluation outlives its page on this machine
        log.file(Path(measured.report))
    how = {"configuration": str(configuration)}
    log.tags({"evaluation_run": measured.evaluation_run} | how)
    log.text(f"{model_front_matter(found, header.label_names)}\n\n{card}", "model_card.md")
    scores = {key: f"{value:.6g}" for key, value in evaluation.values.items()}
    model = register_version(
        settings,
        log,
        load_generator(checkpoint),
        checkpoint=hashlib.sha256((checkpoint / HASHES).read_bytes()).hexdigest(),
        config=header.config,
        tags=facts | size.tags() | scores | how | origin.tags() | through,
        card=description(card),
    )
    dataset_md5, model_id = evaluation.protocol.dataset_md5, version_model_id(settings, model.version)
    log_scores(log, evaluation.values, header.cur_nimg, dataset_md5=dataset_md5, model_id=model_id)
    log.tags({VERSION: str(model.version)})
    return model.version


@step(cache_policy=NO_CACHE)
def look_at_program(version: int, run_id: str, gate: GateConfig) -> Reason:
    """Load a version as its users do, and hold its images against G_ema's. Buys a retry.

    Args:
        version: its number.
        run_id: the training run that it came from.
        gate: how long that may take.
    """
    settings = Settings()
    generator = load_generator(run_artifact(settings, run_id, "checkpoint"))
    return same_to_others(settings, find_model(settings, str(version)), generator, gate.load_seconds)


@step(cache_policy=NO_CACHE)
def promote_or_keep(version: int, verdict: Decision, against: int | None, intent: str) -> str | None:
    """Change the champion as the verdict says. Buys a retry and an artifact.

    The reasons are tags of the version, and a page of its training run.

    Args:
        version: the candidate.
        verdict: on it.
        against: the champion that it was compared with; None: there was none.
        intent: names this decision, so that a retry does not make it twice.

    Returns:
        The version's alias; None where the champion is another by now, and the candidate has to be compared with it.
    """
    settings = Settings()
    model = find_model(settings, str(version))
    if verdict.promote:
        wish = Wish(verdict.reason, intent, str(flow_run.id or ""))
        if promote(settings, version, wish, against=against) is None:
            return None
    # A champion that is registered again stays it, whatever a look says against it.
    stands = verdict.promote or settle(settings).champion == version
    alias = CHAMPION if stands else CHALLENGER
    log = RunLog(client(settings), model.run_id)
    log.tags({VERDICT: one_line(f"{alias}: {verdict.reason}", REASON_CHARACTERS)})
    looks = {each.check: f"{'passed' if each.passed else 'refused'}: {each.said}" for each in verdict.reasons}
    replace_tags(settings, model, GATE, looks)
    log.text(decision_html(version, alias, verdict), DECISION)
    get_run_logger().info("version %d is %s: %s", version, alias, verdict.reason)
    artifacts.decision(version, alias, verdict)
    return alias
