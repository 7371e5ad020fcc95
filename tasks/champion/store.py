"""The history of the champion, and its aliases, in the MLflow registry.

MLflow moves an alias whatever it points to, so an alias alone cannot tell that two machines changed it at once. But it
numbers the versions of a model one after another, never one number twice: so each change is a version of a model of
its own, `<model>-history`. That version leads to the one that came into use by it.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from gan.errors import ModelNotFoundError
from gan.text.shown import shown
from tasks.champion.history import Change, History
from tasks.runtime.settings import Settings
from tasks.tracking.client import client
from tasks.tracking.versions import CHAMPION, NOT_THERE

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHANGE, SETTLED = "change", "settled"
_ABOUT = "What was champion of {model}, and since when: each version is one change of the alias. Written by ganflow."
_PAGE = 200
_LONGEST_WHY = 2000


class Store:
    """The registry, opened once for what is read and written in a row.

    Args:
        settings: where it is, and which model of it.

    Raises:
        ServiceError: no MLflow server answers.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.model, self.history_model = settings.model, settings.history_model
        self._client = client(settings)

    def history(self) -> History:
        """The changes that took effect."""
        return History.of(self._written())

    def write(self, change: Change) -> History:
        """Note a change, if none has come in between; what the history says afterwards tells whether it took effect.

        Args:
            change: its number and time are the registry's to give.
        """
        self._make_model()
        text = change.model_copy(update={"why": shown(change.why)[:_LONGEST_WHY], "who": shown(change.who)})
        created = self._client.create_model_version(
            self.history_model,
            self._source(change),
            tags={CHANGE: text.model_dump_json(exclude={"number", "at", "settled"})},
            description=f"{change.kind}: {change.before or 'none'} → {change.after or 'none'}, {text.who}: {text.why}",
            await_creation_for=0,
        )
        history = self.history()
        if all(each.number != int(created.version) for each in history.changes):
            with contextlib.suppress(Exception):  # it has no effect; whoever reads it leaves it out
                self._client.delete_model_version(self.history_model, created.version)
        return history

    def mark_settled(self, change: Change) -> None:
        """Note that the aliases are as a change says."""
        self._client.set_model_version_tag(self.history_model, str(change.number), SETTLED, "true")

    def version_in_use(self) -> int | None:
        """The version that the alias `champion` points to, or None; what that version carries is not looked at."""
        from mlflow.exceptions import MlflowException

        try:
            return int(self._client.get_model_version_by_alias(self.model, CHAMPION).version)
        except MlflowException as error:
            if error.error_code not in NOT_THERE:
                raise
        return None

    def has(self, version: int) -> bool:
        """Whether the model has such a version."""
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_model_version(self.model, str(version))
        except MlflowException as error:
            if error.error_code not in NOT_THERE:
                raise
            return False
        return True

    def move(self, alias: str, versions: Iterable[int]) -> None:
        """Have an alias point to the first of some versions that is there, or take it away where none is."""
        from mlflow.exceptions import MlflowException

        for version in versions:
            if self.has(version):
                self._client.set_registered_model_alias(self.model, alias, str(version))
                return
        with contextlib.suppress(MlflowException):  # it is not there
            self._client.delete_registered_model_alias(self.model, alias)

    def _written(self) -> Iterator[Change]:
        token = None
        while True:
            found = self._client.search_model_versions(
                f"name = '{self.history_model}'", _PAGE, ["version_number ASC"], token
            )
            for each in found:
                with contextlib.suppress(ValueError, TypeError, RecursionError):  # whoever may write may write anything
                    yield _read(each)
            if not (token := found.token):
                return

    def _make_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.get_registered_model(self.history_model)
        except MlflowException as error:
            if error.error_code not in NOT_THERE:
                raise
            with contextlib.suppress(MlflowException):  # another process made it in between
                self._client.create_registered_model(self.history_model, description=_ABOUT.format(model=self.model))

    def _source(self, change: Change) -> str:
        if change.after is None:  # MLflow wants an address: of the change before, for the version may be gone
            return f"models:/{self.history_model}/{change.follows}"
        if not self.has(change.after):
            raise ModelNotFoundError(
                f"the registry has no version {change.after} of {self.model} any more: name another"
            )
        return f"models:/{self.model}/{change.after}"


def read_history(settings: Settings) -> History:
    """The changes that took effect.

    Raises:
        ServiceError: no MLflow server answers.
    """
    return Store(settings).history()


def _read(found: "ModelVersion") -> Change:
    facts = {
        "number": int(found.version),
        "at": found.creation_timestamp,
        "settled": found.tags.get(SETTLED) == "true",
    }
    return Change.model_validate(json.loads(found.tags.get(CHANGE, "")) | facts)
