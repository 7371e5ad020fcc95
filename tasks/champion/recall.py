"""Releases of a version that was withdrawn are recalled: in the registry, for their folders' bytes are hashed."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasks.runtime.settings import Settings
from tasks.tracking.client import RELEASES, client, experiment_id

if TYPE_CHECKING:
    from mlflow.entities import Run

STATE, RECALLED, BECAUSE = "state", "recalled", "recalled_because"
BEFORE_SETTING = "gan-generator"  # whose releases they are that were drawn before the model's name was a setting


def recall_releases(settings: Settings, version: int, why: str) -> None:
    """Mark each release that a version made as recalled; done again, it changes nothing."""
    registry = client(settings)
    for run in _releases(settings, version):
        if run.data.tags.get(STATE) != RECALLED:
            # The reason first: what is recalled says why, whenever this is killed.
            registry.set_tag(run.info.run_id, BECAUSE, why)
            registry.set_tag(run.info.run_id, STATE, RECALLED)


def recalled_releases(settings: Settings, version: int) -> list[str]:
    """The names of the recalled releases of a version."""
    found = _releases(settings, version)
    return sorted({run.data.tags.get("release", "") for run in found if run.data.tags.get(STATE) == RECALLED})


def _releases(settings: Settings, version: int) -> Iterator["Run"]:
    registry = client(settings)
    experiment, token = experiment_id(registry, settings, RELEASES), None
    while True:
        found = registry.search_runs([experiment], f"tags.model_version = '{version}'", page_token=token)
        yield from (run for run in found if run.data.tags.get("model", BEFORE_SETTING) == settings.model)
        if not (token := found.token):
            return
