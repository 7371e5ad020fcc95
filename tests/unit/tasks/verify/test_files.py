"""Manifests and files of anyone, held against each other."""

import json

import pytest
from fuzzing.releases import KEY, OTHER_KEY, release
from hypothesis import given
from hypothesis import strategies as st

from tasks.verify.files import read_stated, verify_files, verify_signature
from tasks.verify.record import Findings

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return release(tmp_path_factory.mktemp("synthetic") / "v3-001")


@given(st.binary(max_size=300) | TREES.map(lambda tree: json.dumps(tree).encode()))
def test_any_bytes_are_malformed(content):
    with pytest.raises(ValueError, match=":"):
        read_stated(content)


@given(st.data())
def test_a_manifest_with_anything_in_the_place_of_something_is_read_or_malformed(folder, data):
    manifest = json.loads((folder / "manifest.json").read_text())
    place, key = manifest, data.draw(st.sampled_from(sorted(manifest)))
    if isinstance(place[key], dict) and data.draw(st.booleans()):
        place, key = place[key], data.draw(st.sampled_from(sorted(place[key])))
    place[key] = data.draw(TREES)
    try:
        stated = read_stated(json.dumps(manifest).encode())
    except ValueError:
        return
    findings = Findings()
    content = (folder / "manifest.json").read_bytes()
    compared, changed, _ = verify_files(folder, content, stated, findings)
    assert compared <= 3
    assert changed or not findings.problems or findings.problems[0].kind == "extra"


def test_images_that_would_fill_memory_are_refused(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["image"] = {"height": 60_000, "width": 60_000, "channels": 3}
    with pytest.raises(ValueError, match="larger than any"):
        read_stated(json.dumps(manifest).encode())


@pytest.mark.parametrize(
    ("signed_by", "trusted", "kinds", "notes"),
    [
        (KEY.fingerprint, KEY.fingerprint, [], 0),
        (None, KEY.fingerprint, [], 0),
        (KEY.fingerprint, None, [], 1),
        (OTHER_KEY.fingerprint, KEY.fingerprint, ["key"], 0),
        (KEY.fingerprint, OTHER_KEY.fingerprint, ["key"], 0),
    ],
)
def test_whose_signature_it_is(folder, signed_by, trusted, kinds, notes):
    findings = Findings()
    content = (folder / "manifest.json").read_bytes()
    assert verify_signature(folder, content, signed_by, trusted, findings) == KEY.fingerprint
    assert [problem.kind for problem in findings.problems] == kinds
    assert len(findings.notes) == notes
    assert verify_signature(folder, content + b" ", signed_by, trusted, findings) is None
    assert findings.problems[-1].kind != "signature"
    assert "manifest" in {problem.kind for problem in findings.problems}
