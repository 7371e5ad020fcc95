"""Secrets in addresses and sentences: found before they are used, and left out of what is shown."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import GanflowError
from gan.text.credentials import WITHOUT_CREDENTIALS, bare_address, has_credentials, without_secrets

TOKENS = (
    "hf_AbCdEfGhIjKlMnOp",
    "ghp_AbCdEfGhIjKlMnOp1234",
    "AKIAIOSFODNN7EXAMPLE",
    "glpat-abcdefghij0123456789",
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
)
CARRY = (
    "https://alice:hunter2@host/a.zip",
    "https://hunter2@host/a.zip",
    "HTTPS://hunter2@host",
    "postgresql://bob:p/w?#x@host/db",
    "s3://AKIAKEY:sec/ret+x@bucket/folder",
    "https://al@ice:p@ss@host/x",
    "https://alice:pa ss@host/x",
    "https://host/a.zip?X-Amz-Signature=abc&x=1",
    "https://host/a.zip?x=1&Token=abc",
    "https://host/a.zip?sig=abc",
    "https://host/a.zip#access_token=abc",
    "https://host/a.zip?rlkey=abc",
    *(f"https://host/{token}/a.zip" for token in TOKENS),
)
CARRY_NOTHING = (
    "digits",
    "/data/hf_AbCdEfGhIjKlMnOp/AKIAIOSFODNN7EXAMPLE",
    "org/name:configuration@revision",
    "hf://datasets/org/name@revision",
    "https://host:8080/@scope/a.zip",
    "http://[::1]:8080/a@b.zip",
    "https://host/a.zip?download=1&page=2#part",
    "sftp://alice@host/folder",
    "abfss://container@account.dfs.core.windows.net/folder",
    "s3://bucket/folder/a:b@c",
    'data.class_map={"hf_AbCdEfGhIjKlMnOp": "password=x"}',
)


@pytest.mark.parametrize("address", CARRY)
def test_credentials_in_an_address_are_found(address):
    assert has_credentials(address)
    assert has_credentials(f'data.class_map={{"a": "{address}"}}')


@pytest.mark.parametrize("address", CARRY_NOTHING)
def test_what_carries_none_is_let_through(address):
    assert not has_credentials(address)


@pytest.mark.parametrize(
    ("address", "bare"),
    [
        ("https://alice:hunter2@host:8/a/b.zip?key=s3cret#c", "https://host:8/a/b.zip"),
        ("https://alice@host/a", "https://host/a"),
        ("https://al@ice:p@ss@host/x", "https://host/x"),
        ("https://alice:pa ss@host/x", "https://host/x"),
        ("http://[::1]:8/a@b?c", "http://[::1]:8/a@b"),
        ("https://host:8080/@scope/x", "https://host:8080/@scope/x"),
        ("https://host/a#part", "https://host/a#part"),
        ("https://host/a#access_token=abc", "https://host/a"),
        ("s3://bucket/folder", "s3://bucket/folder"),
        ("s3://key:sec/ret@bucket/folder", "s3://bucket/folder"),
        ("sftp://alice@host/folder", "sftp://alice@host/folder"),
        ("postgresql+psycopg://bob:12/34?#@host/db", "postgresql+psycopg://host/db"),
        ("sqlite:////home/x/mlflow.db", "sqlite:////home/x/mlflow.db"),
        ("folder/set.zip", "folder/set.zip"),
    ],
)
def test_the_bare_address(address, bare):
    assert bare_address(address) == bare
    assert not has_credentials(bare)


SECRET = "s3CRet7hunter2zz"
SENTENCES = (
    f"no server answers at http://bob:{SECRET}@host:5000 (ConnectionError): start it",
    f"see «https://host/x?X-Signature={SECRET}», or 's3://key:{SECRET}@bucket'.",
    f"Authorization: Basic {SECRET}",
    f"{{'Authorization': 'Bearer {SECRET}'}}",
    f"sent Bearer {SECRET} in vain",
    f"connection failed: password={SECRET} host=db",
    f"AWS_SECRET_ACCESS_KEY='{SECRET}'",
    f"AccountKey={SECRET};EndpointSuffix=x",
    f'{{"token": "{SECRET}"}}',
    f"401 for hf_{SECRET}",
    f"401 for hf_{SECRET} at https://me:{SECRET}@host/x?X-Signature={SECRET} and https://host/y?token={SECRET}",
)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_no_sentence_shows_a_secret(sentence):
    assert SECRET not in without_secrets(sentence)
    assert SECRET not in str(GanflowError(sentence)) + repr(GanflowError(sentence))


@pytest.mark.parametrize("token", TOKENS)
def test_tokens_are_known_by_their_look(token):
    assert without_secrets(f"401 for {token}: ask") == "401 for …: ask"


@pytest.mark.parametrize(
    "sentence",
    [
        "no MLflow server answers at http://127.0.0.1:5000 (ConnectionError): start it, or unset MLFLOW_TRACKING_URI",
        "it is sent as a bearer or basic credential: set GANFLOW_SOURCE_TOKEN",
        "--set wants section.key=value, for example train.total_kimg=50, but got «x»",
        "see http://host:5000/#/experiments/1/runs/2.",
    ],
)
def test_what_holds_no_secret_stays_as_it_is(sentence):
    assert without_secrets(sentence) == sentence


@given(st.text("abzAZ09-_.~!*", min_size=4), st.text("abzAZ09/?#@: ", min_size=4))
def test_no_password_of_any_make_is_shown(user, password):
    address = f"postgresql://{user}:{password}SECRET@host/db"
    assert "SECRET" not in bare_address(address)
    if " " not in password:
        assert "SECRET" not in without_secrets(f"no store at {address} (it is away): start it")


@given(st.text())
def test_showing_twice_shows_the_same(text):
    once = without_secrets(text)
    assert without_secrets(once) == once


def test_the_pattern_needs_no_flags_and_fits_other_languages():
    assert not re.search(r"\(\?[a-zA-Z<P]", WITHOUT_CREDENTIALS)


@pytest.mark.parametrize("text", ["a" * 300_000, "://" * 100_000, "a://b@" * 50_000, "token" * 60_000, "'" * 300_000])
@pytest.mark.timeout(20)
def test_a_long_text_takes_no_time(text):
    without_secrets(text)


@pytest.mark.parametrize("unit", ["://?", "://?key", "://&token", "://a:", "://a:b", "?token", "://#api-key?"])
def test_a_long_hostile_text_is_looked_through(unit):
    """The cube of its length would be hours."""
    assert not has_credentials(unit * 1500)
    assert has_credentials(f"{unit * 1500} https://host?token=x")
