"""What MLflow has on record, as plain values: runs of any of ganflow's experiments, and versions of the model."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from tasks.runtime.failures import explained
from tasks.runtime.settings import Settings
from tasks.tracking.client import client
from tasks.tracking.versions import NOT_THERE

if TYPE_CHECKING:
    from mlflow.entities import Run

_PAGE = 1000
# What may stand in a filter: values come from tags, which anyone may write who can write to MLflow.
_PLAIN = re.compile(r"[0-9A-Za-z._-]{1,100}")


class PastRun(BaseModel):
    """A run; `started` is in milliseconds since 1970, UTC."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    experiment: str
    status: str
    started: int
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]


class PastVersion(BaseModel):
    """A version of the registered model."""

    model_config = ConfigDict(frozen=True)

    version: int
    run_id: str
    aliases: tuple[str, ...]
    tags: dict[str, str]


def past_run(settings: Settings, run_id: str) -> PastRun | None:
    """A run by its id; None where MLflow has none.

    Raises:
        ServiceError: MLflow does not answer.
    """
    from mlflow.exceptions import MlflowException

    if not _PLAIN.fullmatch(run_id):
        return None
    opened = client(settings)
    try:
        found = opened.get_run(run_id)
    except MlflowException as error:
        if (told := explained(error)) is not None:
            raise told from error
        if error.error_code not in NOT_THERE:
            raise
        return None
    return _record(found, opened.get_experiment(found.info.experiment_id).name)


def past_runs(
    settings: Settings, experiment: str, tags: Mapping[str, str] | None = None, *, begins: str = "", holds: str = ""
) -> Iterator[PastRun]:
    """Runs of an experiment, the newest first.

    Args:
        settings: where MLflow is.
        experiment: its name.
        tags: that they have; none has a value that is no plain word.
        begins: what their ids begin with.
        holds: a tag that they have, whatever it says.
    """
    wanted = [f"tags.`{key}` = '{value}'" for key, value in (tags or {}).items()]
    wanted += [f"attributes.run_id LIKE '{begins}%'"] if begins else []
    wanted += [f"tags.`{holds}` LIKE '%'"] if holds else []
    opened = client(settings)
    found = opened.get_experiment_by_name(experiment)
    if found is None or not all(_PLAIN.fullmatch(value) for value in (*(tags or {}).values(), begins or "-")):
        return
    token = None
    while True:
        page = opened.search_runs(
            [found.experiment_id],
            " and ".join(wanted),
            max_results=_PAGE,
            order_by=["attributes.start_time DESC"],
            page_token=token,
        )
        yield from (_record(run, experiment) for run in page)
        token = page.token
        if not token:
            return


def past_versions(settings: Settings, model: str) -> list[PastVersion]:
    """All versions of a registered model with their aliases, the newest first; none where there is no such model."""
    from mlflow.exceptions import MlflowException

    opened = client(settings)
    try:
        named = opened.get_registered_model(model).aliases
    except MlflowException as error:
        if error.error_code not in NOT_THERE:
            raise
        return []
    aliases: dict[int, list[str]] = {}
    for alias, version in named.items():
        aliases.setdefault(int(version), []).append(alias)
    found, token = [], None
    while True:
        page = opened.search_model_versions(f"name = '{model}'", max_results=_PAGE, page_token=token)
        found += [
            PastVersion(
                version=int(each.version),
                run_id=str(each.run_id or ""),
                aliases=tuple(sorted(aliases.get(int(each.version), ()))),
                tags=dict(each.tags),
            )
            for each in page
        ]
        token = page.token
        if not token:
            return sorted(found, key=lambda each: -each.version)


def _record(run: "Run", experiment: str) -> PastRun:
    return PastRun(
        run_id=run.info.run_id,
        experiment=experiment,
        status=run.info.status,
        started=run.info.start_time or 0,
        tags=dict(run.data.tags),
        params=dict(run.data.params),
        metrics=dict(run.data.metrics),
    )
