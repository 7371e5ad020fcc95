"""The flow `promote`: a version becomes champion, as the gate decides or because a person says so."""

from prefect import flow, get_run_logger
from pydantic import BaseModel, ConfigDict

from flows.parameters import Plain
from flows.register import Registered, register
from gan.errors import PromotionRefusedError
from tasks.champion.changing import champion, one_decision_at_a_time
from tasks.champion.history import require_reason
from tasks.champion.step import new_intent, put_in_use_whatever
from tasks.runtime.settings import Settings, require_writable_home
from tasks.tracking.own_configuration import version_configuration
from tasks.tracking.versions import CHALLENGER, CHAMPION, RegisteredModel, find_model


class Promoted(BaseModel):
    """What `promote` did.

    Attributes:
        version: the champion.
        before: the version that was in use, perhaps the same; None: there was none.
        reason: why, as the history has it.
        registered: what the gate saw; None where a person decided.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    before: int | None
    reason: str
    registered: Registered | None = None


@flow(name="promote")
def promote(version: Plain = CHALLENGER, force: bool = False, reason: str | None = None) -> Promoted:
    """Make a version the champion.

    Args:
        version: its number or alias; the newest candidate without it.
        force: whatever the gate says; a reason has to be given, and goes into the history.
        reason: why, in words.
    """
    settings = Settings()
    require_writable_home(settings)
    why = require_reason(reason) if force else None
    found, in_use = find_model(settings, version), champion(settings)
    if in_use is not None and in_use.version == found.version:
        return Promoted(version=found.version, before=found.version, reason="nothing was changed")
    return _as_the_gate_decides(settings, found) if why is None else _whatever(settings, found, why)


def _as_the_gate_decides(settings: Settings, found: RegisteredModel) -> Promoted:
    result = register(found.run_id, version_configuration(settings, found))
    if result.alias != CHAMPION:
        raise PromotionRefusedError(
            f"version {result.version} of {found.name} stays {result.alias} ({result.verdict.reason}): "
            f"`ganflow promote {result.version} --force --reason …` makes it champion all the same"
        )
    return Promoted(version=result.version, before=result.before, reason=result.verdict.reason, registered=result)


def _whatever(settings: Settings, found: RegisteredModel, reason: str) -> Promoted:
    intent = new_intent()
    with one_decision_at_a_time(settings):
        before = put_in_use_whatever(found.version, reason, intent)
    get_run_logger().info("version %d is champion because a person says so, in place of %s", found.version, before)
    return Promoted(version=found.version, before=before, reason=reason)
