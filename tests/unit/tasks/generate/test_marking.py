"""Releases as they are handed on: marked, described and signed in every format, and verified as such."""

import json

import mlcroissant
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gan.errors import ReleaseError
from gan.release.croissant import FILE
from tasks.dataset.origin import RecordedOrigin
from tasks.generate.manifest import verify_release
from tasks.generate.marking import Proof, release_marks
from tasks.generate.signature import SIGNATURE, SigningKey
from tasks.verify.verify import verify
from tests.unit.tasks.generate.test_release import CONFIG, MODEL, build, home

FORMATS = ("parquet", "webdataset", "imagefolder", "npz")
KEY = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ORIGIN = RecordedOrigin(name="pets", licence="CC-BY-4.0", source_url="https://example.org/pets", credit="Anna")


@pytest.fixture
def settings(tmp_path):
    return home(tmp_path)


def made(settings, format, name="r", key=KEY):
    config = CONFIG.model_copy(update={"format": format, "shard_images": 10})
    return build(settings, name=name, seed=5, config=config, proof=Proof(release_marks(MODEL, name), ORIGIN, key))


@pytest.mark.parametrize("format", FORMATS)
def test_a_release_is_what_it_says_in_every_format(settings, format):
    release = made(settings, format)
    assert verify_release(release.folder) == release.manifest
    found = verify(settings, release.folder, trusted=KEY.fingerprint, sample=0)
    assert found.problems == ()
    assert (found.images, found.marked, found.signed_by) == (25, 25, KEY.fingerprint)
    assert made(settings, format).existed


@pytest.mark.parametrize("format", FORMATS)
def test_licence_and_source_are_in_manifest_card_and_croissant(settings, format):
    release = made(settings, format)
    assert release.manifest["dataset"]["licence"] == "CC-BY-4.0"
    card = (release.folder / "README.md").read_text()
    assert "license: cc-by-4.0" in card
    assert KEY.fingerprint in card
    described = json.loads((release.folder / FILE).read_text())
    assert described["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert described["creditText"] == "Anna"
    assert {each["@id"] for each in described["distribution"] if "sha256" in each} <= set(release.manifest["files"])
    mlcroissant.Dataset(jsonld=release.folder / FILE)


def test_weights_of_others_are_in_manifest_and_card(settings):
    proof = Proof(release_marks(MODEL, "r"), ORIGIN, None, "features of others")
    release = build(settings, name="r", seed=5, config=CONFIG, proof=proof)
    assert release.manifest["learnt_through"] == "features of others"
    assert "learnt through features of others" in (release.folder / "README.md").read_text()
    assert "learnt_through" not in Proof().stated()


def test_croissant_loads_the_images_of_a_release(settings):
    release = made(settings, "parquet")
    records = list(mlcroissant.Dataset(jsonld=release.folder / FILE).records("images"))
    assert len(records) == 25
    assert {record["images/image"].size for record in records} == {(8, 8)}
    assert sorted(record["images/seed"] for record in records) == list(range(5, 30))


@pytest.mark.parametrize("format", FORMATS)
def test_a_changed_byte_of_any_file_is_told(settings, format):
    release = made(settings, format)
    for name in [*release.manifest["files"], "manifest.json", SIGNATURE]:
        path = release.folder / name
        content = path.read_bytes()
        path.write_bytes(
            content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
        )
        assert not verify(settings, release.folder, trusted=KEY.fingerprint, sample=0).sound, name
        path.write_bytes(content)
    assert verify(settings, release.folder, trusted=KEY.fingerprint, sample=0).sound


def test_the_same_key_gives_the_same_bytes_and_another_one_another_release(settings, tmp_path):
    first, second = made(settings, "parquet"), made(home(tmp_path / "other"), "parquet")
    assert (first.folder / SIGNATURE).read_bytes() == (second.folder / SIGNATURE).read_bytes()
    other = SigningKey(Ed25519PrivateKey.generate())
    with pytest.raises(
        ReleaseError, match=f"release r exists signed by {KEY.fingerprint}, not signed by {other.fingerprint}"
    ):
        made(settings, "parquet", key=other)
    unsigned = made(settings, "parquet", name="plain", key=None)
    assert unsigned.manifest["signed_by"] is None
    assert not (unsigned.folder / SIGNATURE).exists()
    with pytest.raises(ReleaseError, match="release plain exists without a signature"):
        made(settings, "parquet", name="plain")
    assert made(settings, "parquet", key=None).existed  # who does not sign may look at what is signed
