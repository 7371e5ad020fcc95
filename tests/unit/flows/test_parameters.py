"""What a Prefect server checks of a deployment's parameters before it writes a run down."""

import pytest
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import is_valid_schema, validate

from flows.evaluate import evaluate
from flows.generate import generate
from flows.ingest import ingest
from flows.retrain import retrain

SECRET = "https://alice:hunter2@host/a.zip"


def errors(flow, **parameters):
    schema = parameter_schema(flow).model_dump_for_openapi()
    assert is_valid_schema(schema) is None
    return validate(parameters, schema)


ASKED = ["classes_from", "split_from", "train", "test", "label_column", "path_column"]


@pytest.mark.parametrize("name", ["source", "labels", "license", "source_url", "credit", "description", *ASKED])
def test_a_source_with_a_credential_is_refused(name):
    assert errors(ingest, **{name: SECRET})
    assert errors(ingest, **{name: "https://host/a.zip?X-Amz-Signature=abc"})
    assert not errors(ingest, **{name: "https://host/a.zip?download=1"})
    assert not errors(ingest, labels=None, source="folder")


def test_patterns_of_what_is_left_out_are_texts_without_one_too():
    assert errors(ingest, exclude=["masks/*", SECRET])
    assert not errors(ingest, exclude=["masks/*", "*/extra/*"])


def test_what_becomes_of_near_duplicates_is_one_of_four_words():
    for word in (None, "auto", "report", "drop", "off"):
        assert not errors(ingest, near_duplicates=word)
    assert errors(ingest, near_duplicates="maybe")


@pytest.mark.parametrize("flow", [ingest, evaluate, generate, retrain])
def test_so_is_an_override(flow):
    assert errors(flow, overrides=["train.seed=1", f'data.class_map={{"a": "{SECRET}"}}'])
    assert not errors(flow, overrides=["train.seed=1", 'data.class_map={"a": "b@c"}'])


def test_so_are_other_texts():
    assert errors(generate, balance=SECRET)
    for name in ("data", "network", "model"):
        assert errors(evaluate, **{name: SECRET})


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"n": 0}, {"n": 5}),
        ({"fill": 0}, {"fill": 500}),
        ({"format": "zip"}, {"format": "webdataset"}),
        ({"shard_images": -1}, {"shard_images": 1}),
        ({"truncation": 0.0}, {"truncation": 0.7}),
        ({"truncation": 1.1}, {"truncation": 1.0}),
        ({"keep_last": 0}, {"keep_last": 1}),
        ({"workers": 0}, {"workers": 2}),
        ({"push_to_hub": "digits"}, {"push_to_hub": "anna/digits"}),
        ({"push_to_hub": SECRET}, {"push_to_hub": None}),
    ],
)
def test_a_release_is_asked_for_in_words_that_a_form_can_check(wrong, right):
    assert errors(generate, **wrong)
    assert not errors(generate, **right)
    assert not errors(generate, balance="real")
