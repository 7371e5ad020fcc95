"""The parts of `croissant.json`: ids are ours alone and mean one thing each."""

import pytest

from gan.release.croissant_records import distribution, record_sets

FILES = {
    "parquet": "train-00000-of-00001.parquet",
    "webdataset": "train-00000-of-00001.tar",
    "imagefolder": "train/metadata.csv",
    "npz": "train-00000-of-00001.npz",
}


def ids(tree):
    if isinstance(tree, dict):
        own = [tree["@id"]] if "@type" in tree and "@id" in tree else []
        return own + [each for value in tree.values() for each in ids(value)]
    return [each for value in tree for each in ids(value)] if isinstance(tree, list) else []


def mentioned(tree):
    if isinstance(tree, dict):
        own = [tree["@id"]] if tree.keys() == {"@id"} else []
        return own + [each for value in tree.values() for each in mentioned(value)]
    return [each for value in tree for each in mentioned(value)] if isinstance(tree, list) else []


@pytest.mark.parametrize("form", FILES)
@pytest.mark.parametrize("names", [(), ("a", "images/label", "shards")])
@pytest.mark.parametrize("seeds", [False, True])
def test_every_id_is_given_once_and_whatever_is_named_is_there(form, names, seeds):
    if form == "webdataset" and not seeds:
        return  # its names are the seeds
    counts = {"train": dict.fromkeys(names or ("unlabelled",), 1)}
    nodes = distribution(form, [(FILES[form], "0" * 64, 5), ("README.md", "0" * 64, 5), ("train/a/1.png", "0", 1)])
    nodes += record_sets(form, names, counts, seeds=seeds)
    found = ids(nodes)
    assert len(found) == len(set(found))
    assert set(mentioned(nodes)) <= set(found)
    assert found[0] == FILES[form]
    assert "README.md" not in found
    assert "train/a/1.png" not in found  # a million of them would be a file of 300 MB
