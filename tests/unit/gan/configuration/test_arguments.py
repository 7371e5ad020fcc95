"""Credentials are refused wherever they would be written down."""

import pytest

from gan.configuration.arguments import require_no_credentials
from gan.configuration.config import Config
from gan.configuration.parsing import apply_data_overrides, apply_overrides
from gan.data.sources.spec import SourceSpec
from gan.errors import InputError

ADDRESS = "https://alice:hunter2@host/a.zip?token=s3cret"


def refused(work):
    with pytest.raises(InputError) as caught:
        work()
    sentence = str(caught.value)
    assert "https://host/a.zip" in sentence
    assert "GANFLOW_SOURCE_TOKEN" in sentence
    assert "--source-secret" in sentence
    for secret in ("alice", "hunter2", "s3cret"):
        assert secret not in sentence


def test_sources_labels_and_overrides():
    refused(lambda: require_no_credentials(None, "digits", ADDRESS))
    refused(SourceSpec(ADDRESS).require)
    refused(SourceSpec("org/name", "huggingface", ADDRESS).require)
    change = f'data.class_map={{"a": "{ADDRESS}"}}'
    refused(lambda: apply_overrides(Config(), [change]))
    refused(lambda: apply_data_overrides(Config(), [change]))
    SourceSpec("https://host/a.zip?download=1").require()
    require_no_credentials(None, "digits")
