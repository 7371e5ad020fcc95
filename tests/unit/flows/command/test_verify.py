"""What `ganflow verify` says, and its exit status."""

import json

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from fuzzing.releases import KEY, OTHER_KEY, release, seal

from flows.command.verify import verified_lines
from tasks.releases.states import State
from tasks.verify.record import Problem, Verified


def test_lines_say_what_was_looked_at():
    found = Verified(
        name="weekly",
        path="/s/weekly",
        model="gan-generator",
        version=3,
        files=4,
        images=100,
        marked=99,
        signed_by="sha256:ab",
        key_compared=True,
        regenerated=64,
        equal=63,
        near=1,
        state=State.PUBLISHED,
        notes=("a note",),
        problems=(Problem(kind="mark", sentence="1 image (row 3) is without the mark"),),
    )
    assert verified_lines(found) == [
        "release    weekly in /s/weekly, of gan-generator version 3",
        "files      4 compared with their sha256",
        "marks      99 of 100 images say that they are synthetic",
        "signature  by sha256:ab, the key that you trust",
        "again      64 images drawn: 63 equal bit by bit, 1 within one grey level",
        "state      published",
        "note       a note",
        "wrong      1 image (row 3) is without the mark",
        "verdict    not as it was made",
    ]
    assert verified_lines(Verified(name="r", path="/r"))[3:] == [
        "signature  none that holds",
        "again      no image drawn",
        "state      not known",
        "verdict    as it was made",
    ]


@pytest.mark.parametrize("state", [State.RECALLED, State.QUARANTINED])
def test_what_is_not_to_be_used_does_not_look_fine(state):
    found = Verified(name="r", path="/r", state=state, reason="stripes")
    assert verified_lines(found)[-1] == f"verdict    as it was made, but {state} and not to be used: stripes"
    assert (found.as_made, found.sound) == (True, False)
    damaged = found.model_copy(update={"problems": (Problem(kind="mark", sentence="stripped"),), "reason": None})
    assert verified_lines(damaged)[-1] == f"verdict    not as it was made, and {state} and not to be used"


def test_it_ends_with_one_where_something_is_wrong_and_makes_nothing(ganflow, tmp_path):
    folder = release(tmp_path / "v3-001")
    (tmp_path / "key.pub.pem").write_bytes(
        KEY._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    status, out, err = ganflow("verify", str(folder), "--key", str(tmp_path / "key.pub.pem"), "--json")
    assert (status, json.loads(out)["sound"]) == (0, True), err
    status, out, _ = ganflow("verify", str(folder), "--key", OTHER_KEY.fingerprint)
    assert status == 1
    assert "wrong      signed by another key: sha256:" in out
    assert out.splitlines()[-1] == "verdict    not as it was made"
    assert not (tmp_path / "home").exists()


def test_what_its_own_checks_refused_ends_with_one_without_a_registry(ganflow, tmp_path):
    folder = seal(release(tmp_path / "v3-001"), checks=[{"check": "copies", "passed": False, "said": "3 copies"}])
    status, out, err = ganflow("verify", str(folder), "--json")
    told = json.loads(out)
    assert (status, told["as_made"], told["sound"]) == (1, True, False), err
    assert (told["state"], told["reason"]) == ("quarantined", "3 copies")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "neither a folder with a manifest.json nor a release"),
        (["nothing", "--key", "nowhere.pem"], "the public key nowhere.pem cannot be read"),
    ],
)
def test_wrong_input_is_a_sentence(ganflow, arguments, sentence):
    status, out, err = ganflow("verify", *arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert len(err.splitlines()) == 1
