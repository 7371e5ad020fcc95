"""The flow `generate`: a release of synthetic images from a registered generator."""

from collections.abc import Sequence

from prefect import flow

from flows.configure import resolve_config
from tasks.registry import find_model
from tasks.release import next_name
from tasks.settings import Settings, require_writable_home
from tasks.steps.generate import Released, draw_release


@flow(name="generate")
def generate(
    model: str = "champion",
    name: str | None = None,
    seed: int | None = None,
    preset: str = "digits",
    overrides: Sequence[str] = (),
) -> Released:
    """Draw a release.

    Args:
        model: an alias or version of the registered model.
        name: the release's name; the next free `v<version>-<number>` without one.
        seed: first seed; derived from version and name without one.
        preset: name of the configuration whose section `release` says how many images.
        overrides: `section.key=value` changes of it.
    """
    settings, config = Settings(), resolve_config(preset, overrides)
    require_writable_home(settings)
    version = find_model(settings, model).version
    # Chosen here, once: a retry of the step draws the same release.
    return draw_release(version, name or next_name(settings, version), config, seed)
