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
from gan.text.shown import reason_of
from tasks.champion.changing import find_in_use
from tasks.generate.hub import require_hub
from tasks.generate.names import choose_name
from tasks.generate.publishing import Released
from tasks.generate.step import draw_release, push_release
from tasks.ingest.allowed_sources import limits_of_this_run
from tasks.lineage.artifact import show_lineage
from tasks.releases.removing import keep_newest
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
    truncation: Annotated[float, Field(gt=0.0, le=1.0)] | None = None,
    workers: Annotated[int, Field(ge=1)] | None = None,
    require_license: bool = False,
    keep_last: Annotated[int, Field(ge=1)] | None = None,
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
        truncation: psi, how far from the mean of its class an image is drawn, of how far it would.
        workers: processes that draw; without a number as many as are worth it here, or all of a cluster.
        require_license: refuse where nobody said under which licence the images are that the model was trained on.
        keep_last: published releases of the model that stay, the newest; without a number all of them, or as many as
            the configuration says.
        push_to_hub: OWNER/NAME of a dataset on the Hugging Face hub; the worker's token says who pushes.
        public: whether all may see that dataset.
    """
    settings = Settings()
    others = {"format": format, "shard_images": shard_images, "truncation": truncation, "keep_last": keep_last}
    changes = release_overrides(n=n, balance=balance, fill=fill, **others)
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
    name = choose_name(settings, version, name)
    given = {"name": name, "seed": seed, "workers": workers, "sign": sign, "push_to_hub": push_to_hub}
    words = ["--public"] if push_to_hub and public else []
    again = command_line("generate", *words, configuration=configuration, model=version, **given)
    with said_if_stopped(f"{again} goes on from the shards that are done"):
        told = configuration.without_word_of("release.keep_last")  # a release is the same however many are kept
        released = draw_release(version, name, told, seed, workers, sign, licence_required)
        show_lineage(settings, f"release/{name}")
        released = _pushed(released, push_to_hub, public, again) if push_to_hub else released
    return released.model_copy(update={"removed": _remove_old(settings, configuration.config.release.keep_last, name)})


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


def _remove_old(settings: Settings, keep: int | None, made: str) -> tuple[str, ...]:
    """Remove older releases; where that fails it is a warning, for the release that was asked for is there."""
    if keep is None:
        return ()
    logger = get_run_logger()
    try:
        removed = keep_newest(settings, keep, made, logger.warning)
    except Exception as error:
        logger.warning("older releases were not removed (%s): the next one tries again", reason_of(error))
        return ()
    if removed:
        logger.info("removed: %s; the newest %d published releases are kept", ", ".join(removed), keep)
    return removed
