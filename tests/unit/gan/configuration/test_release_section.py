"""The section `release`: one setting alone says how many images there are."""

import pytest

from gan.configuration.config import Config, ReleaseConfig
from gan.configuration.parsing import apply_overrides
from gan.errors import ConfigError


def test_as_before_images_are_spread_evenly_in_parquet():
    config = ReleaseConfig()
    assert (config.balance, config.format, config.quotas, config.fill) == ("equal", "parquet", {}, None)


@pytest.mark.parametrize(
    "overrides",
    [
        ["release.balance=real"],
        ["release.balance=quotas", 'release.quotas={"a": 3, "b": 0}'],
        ["release.balance=fill", "release.fill=500"],
        ["release.format=webdataset", "release.shard_images=1"],
        ["release.truncation=0.7"],
        ["release.min_realism=0"],
        ["release.min_realism=null"],
    ],
)
def test_what_fits_together_is_taken(overrides):
    apply_overrides(Config(), overrides)


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["release.balance=quotas"], "release.balance is quotas but release.quotas is empty: set"),
        (['release.quotas={"a": 3}'], "release.balance is equal but release.quotas asks for 3 images: set"),
        (["release.balance=quotas", 'release.quotas={"a": 0}'], "is quotas but release.quotas asks for 0 images"),
        (["release.balance=fill"], "release.balance is fill but release.fill is null: set both"),
        (["release.fill=500"], "release.balance is equal but release.fill is 500: set both"),
        (["release.balance=most"], "release.balance = 'most': input should be 'equal', 'real', 'quotas' or 'fill'"),
        (["release.format=zip"], "release.format = 'zip'"),
        (["release.fill=0"], "release.fill = 0"),
        (['release.quotas={"a": -1}'], "release.quotas.a = -1"),
        (["release.num_images=0"], "release.num_images = 0"),
        (["release.truncation=0"], "release.truncation = 0"),
        (["release.truncation=1.01"], "release.truncation = 1.01"),
        (["release.truncation=NaN"], "release.truncation = "),
        (["release.min_realism=-0.1"], "release.min_realism = -0.1"),
        (["release.min_realism=Infinity"], "release.min_realism = "),
        (["release.shard_images=0"], "release.shard_images = 0"),
        (["release.max_attempts=0"], "release.max_attempts = 0"),
        (["release.keep_last=0"], "release.keep_last = 0"),
    ],
)
def test_what_does_not_is_a_sentence(overrides, sentence):
    with pytest.raises(ConfigError) as caught:
        apply_overrides(Config(), overrides)
    assert sentence in str(caught.value)
