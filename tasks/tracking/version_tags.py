"""Tags of a registered version, read and written by whoever has the version's record."""

from collections.abc import Mapping

from gan.text.shown import shown
from tasks.runtime.settings import Settings
from tasks.tracking.client import client
from tasks.tracking.versions import RegisteredModel

LEARNT_THROUGH = "learnt_through"
"""Key of the weights of others that training images were looked at through; a version without has none."""
MOST_CHARACTERS = 500
"""Of a value: MLflow's stores take 5,000, and its page shows a line."""


def version_tags(settings: Settings, model: RegisteredModel) -> dict[str, str]:
    """All tags of a version."""
    return dict(client(settings).get_model_version(*_address(model)).tags)


def replace_tags(settings: Settings, model: RegisteredModel, prefix: str, tags: Mapping[str, str]) -> None:
    """Set tags of a version whose keys begin with a prefix, each on a line and shortened, and remove all others of it.

    Args:
        settings: where the registry is.
        model: the version.
        prefix: that all keys have.
        tags: by key, without the prefix.
    """
    registry, address = client(settings), _address(model)
    wanted = {f"{prefix}{key}": one_line(value, MOST_CHARACTERS) for key, value in tags.items()}
    for key, value in wanted.items():
        registry.set_model_version_tag(*address, key, value)
    for key in version_tags(settings, model):
        if key.startswith(prefix) and key not in wanted:
            registry.delete_model_version_tag(*address, key)


def one_line(text: str, most: int) -> str:
    """Return a text inert, without secrets, and with the end left out where it is longer than `most` characters."""
    told = shown(text)
    return told if len(told) <= most else f"{told[: most - 1]}…"


def _address(model: RegisteredModel) -> tuple[str, str]:
    return model.name, str(model.version)
