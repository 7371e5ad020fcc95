"""The flow `generate`: a release of synthetic images from a registered generator."""

from typing import Annotated

from prefect import State, flow, get_run_logger
from prefect.states import Completed
from pydantic import Field

from flows.configure import quota_overrides, release_overrides, resolve_own
from flows.parameters import Overrides, Plain, Repository
from flows.resume_hint import command_line
from gan.configuration.provenance import Configuration
from gan.configuration.vocabulary import ReleaseFormat
from gan.errors import GanflowError, ReleaseError
from tasks.champion.changing import find_in_use
from tasks.generate.hub import require_hub
from tasks.generate.names import next_name
from tasks.generate.publishing import Released
from tasks.generate.step import draw_release, push_release
from tasks.ingest.allowed_sources import limits_of_this_run
from tasks.lineage.artifact import show_lineage
from tasks.runtime.due import SKIPPED, later_run_due
from tasks.runtime.settings import Settings, require_writable_home
from tasks.runtime.stopping import said_if_stopped
from tasks.tracking.own_configuration import version_configuration


@flow(name="generate")
def generate(
    model: str = "champion",
    name: str | None = None,
    seed: int | None = None,
    preset: str | None = None,
    overrides: Overrides = (),
    n: Annotated[int, Field(ge=1)] | None = None,
    balance: Plain | None = None,
    fill: Annotated[int, Field(ge=1)] | None = None,
    format: ReleaseFormat | None = None,
    shard_images: Annotated[int, Field(ge=1)] | None = None,
    workers: Annotated[int, Field(ge=1)] | None = None,
    require_license: bool = False,
    push_to_hub: Repository | None = None,
    public: bool = False,
) -> Released | State:
    """Draw a release; it is signed where `GANFLOW_SIGNING_KEY` names a key.

    Of several runs of a schedule that are due at once, after the worker was away, the last one draws.

    Args:
        model: an alias or version of the registered model.
        name: the release's name; the next free `v<version>-<number>` without one.
        seed: first seed; derived from version and name without one.
        preset: name of a configuration whose section `release` says how many images; the model's own without it.
        overrides: `section.key=value` changes of either.
        n: images.
        balance: `equal`; `real`, in the dataset's proportions; or a CSV file with the columns class and count.
        fill: images that each class of `data/` shall have together with the release; those that have as many get none.
        format: of the files.
        shard_images: most images in a shard.
        workers: processes that draw; without a number this one, or all of a cluster.
        require_license: refuse where nobody said under which licence the images are that the model was trained on.
        push_to_hub: OWNER/NAME of a dataset on the Hugging Face hub; the worker's token says who pushes.
        public: whether all may see that dataset.
    """
    settings = Settings()
    changes = release_overrides(n=n, balance=balance, fill=fill, format=format, shard_images=shard_images)
    if balance not in (None, "equal", "real") and (limits := limits_of_this_run(settings)):
        balance = limits.path(balance)
    if later := later_run_due():
        return Completed(name=SKIPPED, message=f"run {later} of the same schedule is due as well: one draws for all")
    found = find_in_use(settings, model)
    changes = [*overrides, *changes, *quota_overrides(balance, found.class_names)]
    configuration = resolve_own(preset, changes, lambda: version_configuration(settings, found))
    key = settings.ganflow_signing_key
    signed = str(key) if key else None
    return generate_configured.fn(
        str(found.version), configuration, name, seed, workers, signed, require_license, push_to_hub, public
    )


@flow(name="generate")
def generate_configured(
    model: str,
    configuration: Configuration,
    name: str | None = None,
    seed: int | None = None,
    workers: int | None = None,
    sign: str | None = None,
    licence_required: bool = False,
    push_to_hub: Repository | None = None,
    public: bool = False,
) -> Released:
    """As `generate`, for a caller that has resolved the configuration."""
    settings = Settings()
    require_writable_home(settings)
    if push_to_hub:
        require_hub(push_to_hub)  # before anything is drawn
    version = find_in_use(settings, model).version
    # Chosen here, once: a retry of the step draws the same release.
    name = name or next_name(settings, version)
    given = {"name": name, "seed": seed, "workers": workers, "sign": sign, "push_to_hub": push_to_hub}
    words = ["--public"] if push_to_hub and public else []
    again = command_line("generate", *words, configuration=configuration, model=version, **given)
    with said_if_stopped(f"{again} goes on from the shards that are done"):
        released = draw_release(version, name, configuration, seed, workers, sign, licence_required)
        show_lineage(settings, f"release/{name}")
        return _pushed(released, push_to_hub, public, again) if push_to_hub else released


def _pushed(released: Released, repository: str, public: bool, again: str) -> Released:
    """Push a release; where that fails, the release is published all the same, and says why it is not on the hub."""
    try:
        pushed = push_release(released.name, repository, public)
    except GanflowError as error:
        more = "" if isinstance(error, ReleaseError) else f"; then {again} pushes it, and draws nothing anew"
        told = f"it is not on the hub: {error}{more}"
        get_run_logger().warning("release %s: %s", released.name, told)
        return released.model_copy(update={"hub_error": told})
    return released.model_copy(update={"hub": pushed.address, "hub_commit": pushed.commit})
