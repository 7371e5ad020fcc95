"""WebDataset tars: as `tarfile` reads them, without anything of this machine in them."""

import json
import tarfile

import pytest

from gan.errors import DatasetError
from gan.release.formats import webdataset


def test_a_tar_is_what_tarfile_takes_it_for(shard_of, written):
    _, shard = shard_of("webdataset")
    (path,) = webdataset.shards(written("webdataset", shard))
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        contents = {member.name: tar.extractfile(member).read() for member in members}
    assert [member.name for member in members[:3]] == [f"{2**62:019d}.{kind}" for kind in ("png", "cls", "json")]
    assert {(each.mtime, each.uid, each.gid, each.uname, each.mode, each.type) for each in members} == {
        (0, 0, 0, "", 0o644, tarfile.REGTYPE)
    }
    assert len(contents) == 3 * 25
    key = f"{2**62 + 4:019d}"
    assert contents[f"{key}.png"] == shard.payloads[4]
    assert contents[f"{key}.cls"] == b"1"
    facts = {"seed": 2**62 + 4, "label": 1, "class": "a/b", "sha256": shard.digests[4].hex(), "synthetic": True}
    assert json.loads(contents[f"{key}.json"]) == facts
    assert path.stat().st_size % 512 == 0


def test_images_without_classes_have_no_name_of_one(shard_of, written):
    _, shard = shard_of("webdataset", class_names=())
    (path,) = webdataset.shards(written("webdataset", shard))
    with tarfile.open(path) as tar:
        assert tar.extractfile(f"{2**62:019d}.cls").read() == b"-1"
        assert "class" not in json.loads(tar.extractfile(f"{2**62:019d}.json").read())


@pytest.mark.parametrize("place", [0, 100, 124, 148, 156, 257, 512 * 3])
def test_another_s_tar_is_explained(shard_of, written, place):
    _, shard = shard_of("webdataset")
    (path,) = webdataset.shards(written("webdataset", shard))
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    if place == 512 * 3:  # a header, or of an image's bytes, of which the decoder judges
        data[place] ^= 1
        path.write_bytes(data + bytes(512))
    with pytest.raises(DatasetError, match="is broken"):
        list(webdataset.rows(path))
