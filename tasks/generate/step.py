"""The step `generate`: a release."""

from contextlib import ExitStack

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE

from gan.configuration.provenance import Configuration
from tasks.dataset.repository import recover
from tasks.generate.hub import Pushed, push_to_hub
from tasks.generate.making import Wanted, make_release
from tasks.generate.names import require_name
from tasks.generate.partial import only_maker
from tasks.generate.publishing import Released, publish, refuse
from tasks.releases.states import published_release
from tasks.reports import artifacts
from tasks.runtime.locks import reading
from tasks.runtime.progress import progress
from tasks.runtime.retry import step
from tasks.runtime.settings import Settings
from tasks.tracking.client import client
from tasks.tracking.versions import find_model

HUB, HUB_COMMIT = "hub", "hub_commit"
"""Tags of a release's run that say where on the Hugging Face hub it lies."""


@step(cache_policy=NO_CACHE)
def draw_release(
    version: int,
    name: str,
    configuration: Configuration,
    seed: int | None,
    workers: int | None = None,
    sign: str | None = None,
    licence_required: bool = False,
) -> Released:
    """Draw, check and track a release. Buys a retry, which goes on with the same release, and pictures.

    Raises:
        ReleaseRefusedError: its checks found it unfit to be handed on; it was not published.
    """
    settings, logger = Settings(), get_run_logger()
    recover(settings)
    model = find_model(settings, str(version))
    wanted = Wanted(name, configuration, seed, workers, sign, licence_required)
    require_name(name)
    with only_maker(settings, name), ExitStack() as held:
        # else another command, which keeps fewer releases, might remove it meanwhile
        held.enter_context(reading(settings.synthetic_dir / name))
        with progress("generating", configuration.config.release.num_images, logger) as reporter:
            release = make_release(settings, model, wanted, reporter, logger.warning)
            held.enter_context(reading(release.folder))
            if release.refused:
                raise refuse(settings, model, release)
            published = publish(settings, model, release, logger.warning)
            reporter(reporter.total)
        return published


@step(cache_policy=NO_CACHE)
def push_release(name: str, repository: str, public: bool) -> Pushed:
    """Push a published release to the Hugging Face hub, and record where it lies. Buys a retry, and a link.

    Raises:
        ReleaseError: it is recalled, or the hub has another one of that name.
        GanflowError: see `push_to_hub`.
    """
    settings = Settings()
    record = published_release(settings, name)
    get_run_logger().info("pushing release %s to %s", name, repository)
    with reading(folder := settings.synthetic_dir / name):
        pushed = push_to_hub(folder, repository, public=public)
    for tag, text in ((HUB_COMMIT, pushed.commit), (HUB, pushed.address)):
        client(settings).set_tag(record.run_id, tag, text)
    artifacts.link("release-on-hub", pushed.address, f"release {name} on the hub")
    return pushed
