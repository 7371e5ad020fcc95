"""Attacks on what is read of releases that come from anywhere: marks of images, signatures, manifests, shards."""

import json
import tempfile
from functools import cache
from pathlib import Path

from fuzzing.records import contents
from fuzzing.releases import KEY, MARK, drawn, release
from fuzzing.sources import place
from fuzzing.target import target
from fuzzing.trees import EDITS, edited_json
from gan.data.pixels.png import encode_pngs
from gan.release.marks import png_chunks, read_mark
from gan.release.xmp import TRAINED_ALGORITHMIC_MEDIA, read_packet, xmp_packet
from tasks.generate.signature import SIGNATURE, Signature
from tasks.runtime.settings import Settings
from tasks.verify.verify import verify


@cache
def released():
    with tempfile.TemporaryDirectory() as top:
        return contents(release(Path(top, "v3-001")))


def _one(name):
    return lambda: {name: released()[name]}


def marked():
    images, _, _ = drawn(1)
    return {"a.png": encode_pngs(images, png_chunks(MARK))[0]}


@target(marked, errors=(ValueError,))
def mark_of_a_png(name, data, folder):
    found = read_mark(data)
    assert found is None or found == MARK.source or data != marked()[name]


@target(lambda: {"packet.xmp": xmp_packet(TRAINED_ALGORITHMIC_MEDIA, "g/1")}, errors=(ValueError,))
def xmp(name, data, folder):
    read_packet(data)


@target(_one(SIGNATURE), errors=(ValueError,), edits=(EDITS, edited_json))
def signature(name, data, folder):
    """Whatever it says, it holds for the manifest only if it is the one that was made."""
    holds = Signature.from_json(data).holds_for(released()["manifest.json"])
    assert not holds or data == released()[name]


def _verified(name, data, folder):
    place(folder, released() | {name: data})
    found = verify(Settings(ganflow_home=folder / "home"), folder, trusted=KEY.fingerprint, sample=0)
    assert found.sound == (data == released()[name])
    json.dumps(found.model_dump(mode="json"))
    assert all(len(each.sentence) < 2000 for each in found.problems)


@target(_one("manifest.json"), errors=(), edits=(EDITS, edited_json))
def manifest_verified(name, data, folder):
    _verified(name, data, folder)


@target(lambda: {name: data for name, data in released().items() if name.endswith("parquet")}, errors=())
def shard_verified(name, data, folder):
    _verified(name, data, folder)
