"""Proportions of the dataset that a model was trained on, also where `data/` is another by now; on a real DVC."""

import numpy as np
import pytest

from gan.configuration.config import DataConfig, ReleaseConfig
from gan.data.building.build import build_dataset
from gan.data.sources.digits import DigitsSource
from gan.errors import DatasetError
from tasks.dataset.repository import version_dataset
from tasks.generate.asked import asked_quotas
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel

pytestmark = pytest.mark.integration
NAMES = tuple("0123456789")


def version(settings, tmp_path, **config):
    """Ingest the digits; return the version's md5 and training images by class."""
    places = {"work": tmp_path / "work", "quarantine": tmp_path / "rejects.jsonl"}
    staged = settings.state_dir / "staged"
    built = build_dataset(DigitsSource(), DataConfig(resolution=8, **config), staged, **places)
    return version_dataset(settings, staged).md5, built.info.counts["train"]


def quotas(settings, md5, **config):
    return asked_quotas(settings, RegisteredModel(1, "r", md5, NAMES, "gan-generator"), ReleaseConfig(**config))


def test_the_model_s_own_dataset_counts(tmp_path):
    settings = Settings(ganflow_home=tmp_path / "home")
    settings.state_dir.mkdir(parents=True)
    first, counts = version(settings, tmp_path, holdout_fraction=0.2)
    own = quotas(settings, first, balance="real", num_images=sum(counts.values()))
    assert own == list(counts.values())
    second, fewer = version(settings, tmp_path, holdout_fraction=0.5, class_map={"3": None})
    assert first != second
    assert "3" not in fewer
    assert quotas(settings, first, balance="real", num_images=sum(counts.values())) == own
    assert quotas(settings, second, balance="real", num_images=500)[3] == 0
    # but what is to be filled is what is there now
    fill = max(fewer.values())
    found = quotas(settings, first, balance="fill", fill=fill)
    assert found == [fill - fewer.get(name, fill) for name in NAMES]
    assert np.min(found) == 0
    with pytest.raises(DatasetError):
        quotas(settings, "f" * 32, balance="real", num_images=10)
