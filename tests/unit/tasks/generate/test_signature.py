"""Signatures of releases: what signs, what is refused, and that other programs find the same."""

import base64
import hashlib
import json
import os
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import InputError
from tasks.generate.signature import (
    PASSPHRASE,
    SIGNATURE,
    Signature,
    SigningKey,
    load_signing_key,
    read_signature,
    sign_manifest,
    trusted_fingerprint,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CONTENT = b'{"name": "v3-001"}\n'
openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")


def pem(key, passphrase=None):
    how = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_file(folder, content, mode=0o600):
    path = folder / "key.pem"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_manifest_is_signed_beside_itself_with_the_same_bytes_each_time(tmp_path):
    (tmp_path / "manifest.json").write_bytes(CONTENT)
    key = load_signing_key(private_file(tmp_path, pem(KEY)))
    assert read_signature(tmp_path) is None
    sign_manifest(tmp_path, key)
    written = (tmp_path / SIGNATURE).read_bytes()
    sign_manifest(tmp_path, key)
    assert (tmp_path / SIGNATURE).read_bytes() == written
    found = read_signature(tmp_path)
    assert found.holds_for(CONTENT)
    assert not found.holds_for(CONTENT + b" ")
    assert found.fingerprint == key.fingerprint == f"sha256:{hashlib.sha256(key.public_key).hexdigest()}"
    assert json.loads(written)["algorithm"] == "Ed25519"
    assert (tmp_path / "manifest.json").read_bytes() == CONTENT


def test_a_key_is_shown_as_its_fingerprint_alone():
    key = SigningKey(KEY)
    assert repr(key) == str(key) == f"SigningKey({key.fingerprint})"


def test_a_passphrase_comes_from_the_environment(tmp_path, monkeypatch):
    path = private_file(tmp_path, pem(KEY, b"open sesame"))
    monkeypatch.delenv(PASSPHRASE, raising=False)
    with pytest.raises(InputError, match=f"has a passphrase: export it as {PASSPHRASE}"):
        load_signing_key(path)
    monkeypatch.setenv(PASSPHRASE, "shut sesame")
    with pytest.raises(InputError, match="does not open the key") as caught:
        load_signing_key(path)
    assert "shut" not in str(caught.value)
    monkeypatch.setenv(PASSPHRASE, "open sesame")
    assert load_signing_key(path).fingerprint == SigningKey(KEY).fingerprint
    # It may be set for all keys of a place: one without a passphrase does not mind.
    assert load_signing_key(private_file(tmp_path, pem(KEY))).fingerprint == SigningKey(KEY).fingerprint


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o602, 0o601, 0o620, 0o666, 0o777])
def test_a_key_that_others_may_touch_is_refused(tmp_path, mode):
    with pytest.raises(InputError, match=rf"others may read or write the key .*its mode is {mode:04o}"):
        load_signing_key(private_file(tmp_path, pem(KEY), mode))


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o440, 0o640])
def test_the_owner_and_a_group_that_only_reads_are_enough(tmp_path, mode):
    path = private_file(tmp_path, pem(KEY), mode)
    (tmp_path / "link.pem").symlink_to(path)  # as secrets are mounted
    assert load_signing_key(tmp_path / "link.pem").fingerprint == SigningKey(KEY).fingerprint


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no private key in PEM: make one with"),
        (b"secret words\n", "holds no private key in PEM"),
        (public_pem(KEY), "holds no private key in PEM"),
        (pem(KEY)[:-30], "holds no private key in PEM"),
        (pem(generate_private_key(SECP256R1())), "none of Ed25519"),
    ],
    ids=["empty", "text", "public", "cut", "another sort"],
)
def test_what_is_no_key_is_refused_and_not_quoted(tmp_path, content, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        load_signing_key(private_file(tmp_path, content))
    assert "secret words" not in str(caught.value)
    assert "PRIVATE" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, sentence in {
        "nowhere": "cannot be read",
        "pipe": "is no file",
        ".": "is no file",
        "\0": "no path",
    }.items():
        with pytest.raises(InputError, match=sentence):
            load_signing_key(tmp_path / name)


def test_a_key_is_trusted_by_its_file_or_its_fingerprint(tmp_path):
    fingerprint = SigningKey(KEY).fingerprint
    (tmp_path / "public.pem").write_bytes(public_pem(KEY))
    for given_as in (str(tmp_path / "public.pem"), fingerprint, fingerprint[7:], fingerprint[7:].upper()):
        assert trusted_fingerprint(given_as) == fingerprint
    (tmp_path / "other.pem").write_bytes(public_pem(generate_private_key(SECP256R1())))
    (tmp_path / "private.pem").write_bytes(pem(KEY))
    for name, sentence in {
        "other.pem": "none of Ed25519",
        "private.pem": "holds no public key in PEM: `openssl pkey",
        "nowhere": "give a PEM file or a fingerprint",
        ".": "cannot be read",
    }.items():
        with pytest.raises(InputError, match=sentence):
            trusted_fingerprint(str(tmp_path / name))


GOOD = SigningKey(KEY).sign(CONTENT).to_json().encode()
WORDS = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=5)


@given(
    st.binary()
    | st.builds(lambda cut, more: GOOD[:cut] + more, st.integers(0, len(GOOD)), st.binary(max_size=9))
    | st.builds(
        lambda name, value: json.dumps(json.loads(GOOD) | {name: value}, indent=2).encode() + b"\n",
        st.sampled_from(["algorithm", "public_key", "signature", "fingerprint", "x"]),
        WORDS,
    )
)
def test_any_bytes_are_the_signature_or_malformed(text):
    if text == GOOD:
        assert Signature.from_json(text).holds_for(CONTENT)
        return
    with pytest.raises(ValueError, match="malformed"):
        Signature.from_json(text)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_any_key_and_signature_hold_for_nothing_that_was_not_signed(public_key, signature):
    text = Signature(public_key, signature).to_json().encode()
    assert not Signature.from_json(text).holds_for(CONTENT)


def test_every_flipped_bit_is_another_signature():
    good = Signature.from_json(GOOD)
    for at in range(64):
        changed = bytes([*good.signature[:at], good.signature[at] ^ 1, *good.signature[at + 1 :]])
        assert not Signature(good.public_key, changed).holds_for(CONTENT)


@openssl
def test_openssl_makes_the_key_and_checks_the_signature(tmp_path):
    def run(*arguments):
        return subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, check=True).stdout

    old = os.umask(0o077)
    try:
        run("genpkey", "-algorithm", "ed25519", "-out", "release-key.pem")
    finally:
        os.umask(old)
    run("pkey", "-in", "release-key.pem", "-pubout", "-out", "release-key.pub.pem")
    (tmp_path / "manifest.json").write_bytes(CONTENT)
    key = load_signing_key(tmp_path / "release-key.pem")
    sign_manifest(tmp_path, key)
    signature = json.loads((tmp_path / SIGNATURE).read_text())["signature"]
    (tmp_path / "raw.sig").write_bytes(base64.b64decode(signature))
    check = ("pkeyutl", "-verify", "-pubin", "-inkey", "release-key.pub.pem", "-rawin", "-in", "manifest.json")
    assert b"Verified Successfully" in run(*check, "-sigfile", "raw.sig")
    der = run("pkey", "-pubin", "-in", "release-key.pub.pem", "-outform", "DER")
    assert key.fingerprint == f"sha256:{hashlib.sha256(der[-32:]).hexdigest()}"
    assert trusted_fingerprint(str(tmp_path / "release-key.pub.pem")) == key.fingerprint
