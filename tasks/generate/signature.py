"""The signature of a release: a file beside its manifest by which anyone with the public key knows whose it is.

`manifest.json.sig` is JSON: `algorithm` (`Ed25519`), `public_key` and `signature` (base64 of 32 and of 64 bytes), and
`fingerprint`, which is `sha256:` and the sha256 of the public key's 32 bytes. What is signed are the bytes of
`manifest.json` as they lie there, which name the sha256 of every other file; any program that knows Ed25519 can check
them. Equal manifests and keys give equal signatures, so a release is the same bytes whenever it is drawn.

Reference: RFC 8032 (Ed25519); RFC 5958 and 7468 (the file of a key: PKCS #8, PEM).
"""

import base64
import binascii
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gan.data.store.dataset import MANIFEST
from gan.errors import InputError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE = "manifest.json.sig"
PASSPHRASE = "GANFLOW_SIGNING_PASSPHRASE"  # noqa: S105
ALGORITHM = "Ed25519"
_MAKE = "make one with `umask 077; openssl genpkey -algorithm ed25519 -out release-key.pem`"
_FINGERPRINT = re.compile("(?:sha256:)?([0-9a-fA-F]{64})")
_MOST_BYTES = 2**16


class SigningKey:
    """A private key that signs manifests; shown, it is its fingerprint."""

    def __init__(self, key: "Ed25519PrivateKey") -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"SigningKey({self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """`sha256:` and the sha256 of the public key, for manifest and card."""
        return fingerprint_of(self.public_key)

    def sign(self, content: bytes) -> "Signature":
        """Sign these bytes."""
        return Signature(self.public_key, self._key.sign(content))


@dataclass(frozen=True)
class Signature:
    """What `manifest.json.sig` says.

    Attributes:
        public_key: the 32 bytes of the key that signed; whose it is has to be known from elsewhere.
        signature: 64 bytes.
    """

    public_key: bytes
    signature: bytes

    @property
    def fingerprint(self) -> str:
        """By which the key is known."""
        return fingerprint_of(self.public_key)

    def holds_for(self, content: bytes) -> bool:
        """Whether this key signed exactly these bytes."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(self.signature, content)
        except (InvalidSignature, ValueError):
            return False
        return True

    def to_json(self) -> str:
        """Return the text of the file."""
        tree = {
            "algorithm": ALGORITHM,
            "fingerprint": self.fingerprint,
            "public_key": base64.b64encode(self.public_key).decode(),
            "signature": base64.b64encode(self.signature).decode(),
        }
        return json.dumps(tree, indent=2) + "\n"

    @staticmethod
    def from_json(text: bytes) -> "Signature":
        """Read the text of the file.

        Raises:
            ValueError: it says anything but what `to_json` does.
        """
        try:
            tree = json.loads(text)
            found = Signature(*(base64.b64decode(tree[key], validate=True) for key in ("public_key", "signature")))
        except (ValueError, TypeError, LookupError, RecursionError, binascii.Error):
            raise ValueError("it is malformed") from None
        if found.to_json().encode() != text or (len(found.public_key), len(found.signature)) != (32, 64):
            raise ValueError("it is malformed")
        return found


def fingerprint_of(public_key: bytes) -> str:
    """Return the fingerprint of a public key's 32 bytes."""
    return f"sha256:{hashlib.sha256(public_key).hexdigest()}"


def load_signing_key(path: Path) -> SigningKey:
    """Read a private key: Ed25519 in a PEM file, its passphrase, if it has one, in `GANFLOW_SIGNING_PASSPHRASE`.

    Raises:
        InputError: no such key, another sort of key, others may read or write the file, or the passphrase is wrong.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    content = _private_bytes(path)
    passphrase = os.environ.get(PASSPHRASE, "").encode() or None
    try:
        try:
            key = load_pem_private_key(content, None)
        except TypeError:  # it is encrypted
            if passphrase is None:
                raise InputError(f"the key {path} has a passphrase: export it as {PASSPHRASE}") from None
            try:
                key = load_pem_private_key(content, passphrase)
            except ValueError:
                raise InputError(f"the passphrase in {PASSPHRASE} does not open the key {path}: correct it") from None
    except (ValueError, UnsupportedAlgorithm):  # their messages may quote the file
        raise InputError(f"{path} holds no private key in PEM: {_MAKE}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"the key in {path} is none of Ed25519, by which releases are signed: {_MAKE}")
    return SigningKey(key)


def _private_bytes(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        told = os.strerror(error.errno or 0) if isinstance(error, OSError) else "that is no path"
        raise InputError(f"the key {path} cannot be read ({told}): {_MAKE}") from None
    try:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise InputError(f"the key {path} is no file: {_MAKE}")
        # A group may read: so secrets are mounted into containers.
        if state.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise InputError(
                f"others may read or write the key {path} (its mode is {stat.S_IMODE(state.st_mode):04o}): "
                f"`chmod 600 {path}` if nobody did, else {_MAKE}"
            )
        return os.read(descriptor, _MOST_BYTES)
    finally:
        os.close(descriptor)


def trusted_fingerprint(given: str) -> str:
    """Return the fingerprint of a key that a person trusts, given as such or as the PEM file of a public key.

    Raises:
        InputError: it is neither.
    """
    if match := _FINGERPRINT.fullmatch(given):
        return f"sha256:{match[1].lower()}"
    return fingerprint_of(_public_key(Path(given)).public_bytes_raw())


def _public_key(path: Path) -> "Ed25519PublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        with path.open("rb") as file:
            key = load_pem_public_key(file.read(_MOST_BYTES))
    except OSError as error:
        raise InputError(
            f"the public key {path} cannot be read ({os.strerror(error.errno or 0)}): give a PEM file or a fingerprint"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise InputError(
            f"{path} holds no public key in PEM: `openssl pkey -in release-key.pem -pubout` writes it of a private one"
        ) from None
    if not isinstance(key, Ed25519PublicKey):
        raise InputError(f"the public key in {path} is none of Ed25519, by which releases are signed: give another")
    return key


def sign_manifest(folder: Path, key: SigningKey) -> None:
    """Write the signature of a release's manifest beside it; the manifest is complete and stays as it is."""
    signature = key.sign((folder / MANIFEST).read_bytes())
    (folder / SIGNATURE).write_text(signature.to_json(), "utf-8")


def read_signature(folder: Path) -> Signature | None:
    """Read a release's signature without judging it; None where it has none.

    Raises:
        ValueError: it is malformed.
    """
    try:
        with (folder / SIGNATURE).open("rb") as file:
            return Signature.from_json(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"it cannot be read: {os.strerror(error.errno or 0)}") from None
