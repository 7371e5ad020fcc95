"""The step `generate`: a release."""

from prefect import get_run_logger
from prefect.cache_policies import NO_CACHE

from gan.configuration.provenance import Configuration
from tasks.dataset.repository import recover
from tasks.generate.making import Wanted, make_release
from tasks.generate.names import require_name
from tasks.generate.partial import only_maker
from tasks.generate.publishing import Released, publish, refuse
from tasks.runtime.progress import progress
from tasks.runtime.retry import step
from tasks.runtime.settings import Settings
from tasks.tracking.versions import find_model


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
    with only_maker(settings, name):
        with progress("generating", configuration.config.release.num_images, logger) as reporter:
            release = make_release(settings, model, wanted, reporter, logger.warning)
        if release.refused:
            raise refuse(settings, model, release)
        return publish(settings, model, release, logger.warning)
