"""What an evaluation leaves behind: a record and a page, here and as a run of their own in MLflow."""

import hashlib
import logging
import re
from collections.abc import Mapping, Sequence
from functools import partial

from pydantic import BaseModel, ConfigDict

from gan.errors import InputError
from gan.evaluation.evaluator import Evaluated
from gan.metrics.estimate import Estimate
from gan.metrics.evaluation import Evaluation
from gan.metrics.paired import Influences, paired_difference
from gan.text.shown import reason_of
from tasks.evaluate.report import evaluation_html
from tasks.reports.charts import Curve
from tasks.runtime.settings import Settings
from tasks.tracking.client import EVALUATIONS, client, run
from tasks.tracking.inputs import log_dataset, log_model_input, log_scores, version_model_id
from tasks.tracking.runs import run_artifact

REPORT, RECORD, INFLUENCES = "report.html", "evaluation.json", "influences.npz"
_CURVES = ("D_loss", "G_loss", "kid")
_log = logging.getLogger(__name__)


class Measured(BaseModel):
    """An evaluation, and where its page is.

    Attributes:
        evaluation: scores and protocol.
        report: the page, a file of this machine.
        evaluation_run: the MLflow run that keeps both.
    """

    model_config = ConfigDict(frozen=True)

    evaluation: Evaluation
    report: str
    evaluation_run: str


def keep_evaluation(
    settings: Settings,
    evaluated: Evaluated,
    *,
    title: str,
    facts: Mapping[str, str],
    step: int = 0,
    training_run: str | None = None,
    version: int | None = None,
) -> Measured:
    """Write the page, and log it with the scores to the experiment `ganflow-evaluations`.

    Args:
        settings: where it goes.
        evaluated: scores and pictures.
        title: what was measured, as "version 3".
        facts: what else is known of it; tags of the run.
        step: image count that the scores are logged at.
        training_run: the run whose curves go onto the page.
        version: of the registered model, whose scores these are; None: of a run or a folder.
    """
    evaluation, pictures = evaluated.evaluation, evaluated.pictures
    curves, best = _training_curves(settings, training_run) if training_run else ((), None)
    describe = partial(
        evaluation_html, title=title, subject=facts, evaluation=evaluation, curves=curves, best_kimg=best
    )
    try:
        page = describe(pictures=pictures)
    except Exception as error:  # what is measured is not lost for want of a picture
        _log.warning("the page of %s is without pictures (%s)", title, reason_of(error))
        page = describe()
    folder = settings.state_dir / "evaluations" / _folder_name(title, evaluation)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REPORT).write_text(page, "utf-8")
    evaluation.to_json(folder / RECORD)
    tags = {"dataset_md5": evaluation.protocol.dataset_md5, **facts}
    protocol, model_id = evaluation.protocol, None if version is None else version_model_id(settings, version)
    with run(settings, EVALUATIONS, title, tags) as log:
        log_dataset(log, protocol.dataset_md5, protocol.reference_split, "evaluation")
        log_model_input(log, model_id)
        log_scores(log, evaluation.values, step, dataset_md5=protocol.dataset_md5, model_id=model_id)
        log.file(folder / REPORT)
        log.file(folder / RECORD)
        if evaluated.influences:
            evaluated.influences.write(folder / INFLUENCES)
            log.file(folder / INFLUENCES)
    return Measured(evaluation=evaluation, report=str(folder / REPORT), evaluation_run=log.run_id)


def difference(settings: Settings, candidate: Measured, champion: Measured) -> Estimate | None:
    """The candidate's deciding score minus the champion's, image by image; None where MLflow no longer has both.

    Raises:
        ServiceError: MLflow does not answer.
    """
    try:
        ours, theirs = (
            Influences.read(run_artifact(settings, measured.evaluation_run, INFLUENCES))
            for measured in (candidate, champion)
        )
        return paired_difference(ours, theirs)
    except (InputError, ValueError):
        return None


def _folder_name(title: str, evaluation: Evaluation) -> str:
    protocol = hashlib.sha256(evaluation.protocol.model_dump_json().encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '-', title).strip('-.') or 'evaluation'}-{protocol}"


def _training_curves(settings: Settings, run_id: str) -> tuple[Sequence[Curve], float | None]:
    """The curves of a training run, and the thousands of images at which its best checkpoint was written."""
    mlflow_client = client(settings)
    found = []
    for key in _CURVES:
        history = sorted(mlflow_client.get_metric_history(run_id, key), key=lambda point: point.step)
        if history:
            found.append(Curve(key, [point.step / 1000 for point in history], [point.value for point in history]))
    best = mlflow_client.get_run(run_id).data.metrics.get("best_nimg")
    return found, best / 1000 if best else None
