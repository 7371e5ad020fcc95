"""docs/releases.md shows what the code says, and what it links to is there."""

import json
import re
from pathlib import Path

import pytest

from flows.command.verify import verified_lines
from gan.release.xmp import CREATOR_TOOL, SOURCE_TYPE, TRAINED_ALGORITHMIC_MEDIA
from tasks.generate.signature import PASSPHRASE, Signature
from tasks.releases.states import State
from tasks.verify.record import Problem, Verified

PAGE = (Path(__file__).parents[2] / "docs/releases.md").read_text("utf-8")
KEY = "sha256:b6a83801849f3f127a0543765c9e903b0b126ef3744d4fb466fd98fdf81e4e86"
FACTS = {"name": "v1-001", "model": "gan-generator", "version": 1, "files": 3, "images": 25, "marked": 25}
SOUND = Verified(
    path="/home/anna/digits/synthetic/v1-001",
    signed_by=KEY,
    key_compared=True,
    regenerated=25,
    equal=25,
    state=State.PUBLISHED,
    **FACTS,
)
RECALLED = SOUND.model_copy(update={"state": State.RECALLED, "reason": "the ones have stripes"})
CHANGED = Verified(
    path="/home/anna/copy",
    notes=(
        "nothing was drawn again: there is no registry at sqlite:////home/anna/mlflow.db",
        "whether it was recalled is not known: there is no registry at sqlite:////home/anna/mlflow.db",
    ),
    problems=(
        Problem(kind="manifest", sentence=f"manifest.json is not what {KEY} signed: it was changed since then"),
        Problem(kind="rows", sentence="manifest.json counts other images of each class than there are"),
    ),
    **FACTS,
)


@pytest.mark.parametrize("found", [SOUND, CHANGED], ids=["sound", "changed"])
def test_it_shows_what_the_verb_prints(found):
    assert "\n".join(verified_lines(found)) in PAGE


def test_it_shows_the_verdict_on_a_recalled_release():
    assert verified_lines(RECALLED)[-1] in PAGE


def test_it_names_the_mark_and_the_variable():
    for word in (SOURCE_TYPE, CREATOR_TOOL, TRAINED_ALGORITHMIC_MEDIA, PASSPHRASE):
        assert f"`{word}`" in PAGE


def test_its_signature_is_one():
    (text,) = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    found = Signature.from_json(text.encode())
    assert found.fingerprint == json.loads(text)["fingerprint"] == KEY


def test_it_promises_no_compliance():
    assert "helps to meet Article 50(2)" in PAGE
    assert re.search("compl(y|ies|iant)", PAGE) is None
