"""A home with a dataset, made without a command."""

from pathlib import Path

from gan.configuration.presets import debug
from gan.data.building.build import build_dataset
from gan.data.sources.digits import DigitsSource
from tasks.dataset.repository import version_dataset
from tasks.runtime.settings import Settings


def home_with_digits(folder: Path, work: Path) -> str:
    """Make a home, and return the md5 of its dataset; `work` is a folder for what lies between."""
    settings = Settings(ganflow_home=folder, ganflow_storage=None, ganflow_cache=None, ray_address=None)
    settings.home.mkdir()
    build_dataset(DigitsSource(), debug().data, work / "staged", work=work / "work", quarantine=work / "rejects.jsonl")
    return version_dataset(settings, work / "staged").md5
