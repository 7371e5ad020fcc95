"""Quotas by settings and dataset; DVC's part is in the integration tests."""

import pytest

from gan.configuration.config import ReleaseConfig
from gan.data.store.dataset import DatasetInfo
from gan.errors import ReleaseError
from tasks.generate import asked
from tasks.generate.asked import asked_quotas
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel

MD5 = "0" * 32
COUNTS = {"cat": 60, "dog": 30, "cow": 7}


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A home whose `data/` holds 60 cats, 30 dogs and 7 cows."""
    info = DatasetInfo(
        name="pets", source_kind="folder", resolution=8, channels=1, class_names=tuple(COUNTS), crop="centre",
        filter="box", background="#ffffff", class_map={}, split="hash", holdout_fraction=0.1, num_train=97, num_test=0,
        counts={"train": COUNTS, "test": dict.fromkeys(COUNTS, 0)}, mean=(0.5,), std=(0.1,), rejects={},
    )  # fmt: skip
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dataset.json").write_text(info.model_dump_json())
    monkeypatch.setattr(asked, "ensure_data", lambda settings: MD5)
    monkeypatch.setattr(asked, "current_md5", lambda settings: MD5)
    return Settings(ganflow_home=tmp_path)


def quotas(settings, names=tuple(COUNTS), **config):
    return asked_quotas(settings, RegisteredModel(3, "r", MD5, names, "gan-generator"), ReleaseConfig(**config))


def test_equal_and_real(settings):
    assert quotas(settings, num_images=10) == [4, 3, 3]
    assert quotas(settings, num_images=97, balance="real") == [60, 30, 7]
    assert quotas(settings, ("dog", "cat"), num_images=9, balance="real") == [3, 6]


def test_named_quotas(settings):
    assert quotas(settings, balance="quotas", quotas={"cow": 5}) == [0, 0, 5]
    with pytest.raises(ReleaseError, match="names «pig», which the model does not know"):
        quotas(settings, balance="quotas", quotas={"pig": 5})


def test_rare_classes_are_filled(settings):
    assert quotas(settings, balance="fill", fill=50) == [0, 20, 43]
    assert quotas(settings, ("cow", "cat", "dog", "pig"), balance="fill", fill=50) == [43, 0, 20, 0]
    with pytest.raises(ReleaseError, match=r"every class of data/ has 7 images or more, so none lacks any of 7"):
        quotas(settings, balance="fill", fill=7)
    with pytest.raises(ReleaseError, match="class «cow» of data/ has 7 images but gan-generator version 3 does not"):
        quotas(settings, ("cat", "dog"), balance="fill", fill=20)


def test_a_model_without_classes_has_one_number(settings):
    assert quotas(settings, (), num_images=10) == quotas(settings, (), num_images=10, balance="real") == [10]
    with pytest.raises(ReleaseError, match=r"release\.balance is fill but gan-generator version 3 has no classes"):
        quotas(settings, (), balance="fill", fill=3)


def test_a_dataset_of_other_classes_has_no_proportions(settings):
    with pytest.raises(ReleaseError, match="has no image of a class of gan-generator version 3"):
        quotas(settings, ("pig",), balance="real")
