"""The flow `generate`: a release of synthetic images from a registered generator."""

from prefect import flow

from flows.configure import resolve_own
from flows.parameters import Overrides
from flows.resume_hint import command_line
from gan.configuration.provenance import Configuration
from tasks.champion.changing import find_in_use
from tasks.generate.release import next_name
from tasks.generate.step import Released, draw_release
from tasks.lineage.artifact import show_lineage
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
) -> Released:
    """Draw a release.

    Args:
        model: an alias or version of the registered model.
        name: the release's name; the next free `v<version>-<number>` without one.
        seed: first seed; derived from version and name without one.
        preset: name of a configuration whose section `release` says how many images; the model's own without it.
        overrides: `section.key=value` changes of either.
    """
    settings = Settings()
    found = find_in_use(settings, model)
    configuration = resolve_own(preset, overrides, lambda: version_configuration(settings, found))
    return generate_configured.fn(str(found.version), configuration, name, seed)


@flow(name="generate")
def generate_configured(
    model: str, configuration: Configuration, name: str | None = None, seed: int | None = None
) -> Released:
    """As `generate`, for a caller that has resolved the configuration."""
    settings = Settings()
    require_writable_home(settings)
    version = find_in_use(settings, model).version
    # Chosen here, once: a retry of the step draws the same release.
    name = name or next_name(settings, version)
    again = command_line("generate", configuration=configuration, model=version, name=name, seed=seed)
    with said_if_stopped(f"{again} draws the release anew, or checks it if it is complete"):
        released = draw_release(version, name, configuration, seed)
        show_lineage(settings, f"release/{name}")
        return released
