"""What a verification reads and says."""

import pytest
from pydantic import ValidationError

from tasks.releases.states import State
from tasks.verify.record import Findings, StatedGeneration, StatedModel, Verified, some


def test_some_names_stand_for_all():
    assert some([]) == ""
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(range(10)) == "0, 1, 2 and 7 more"


def test_a_release_is_sound_without_problems():
    findings = Findings()
    assert Verified(name="r", path="/r", problems=tuple(findings.problems)).sound
    assert Verified(name="r", path="/r", state=State.PUBLISHED).sound
    findings.wrong("mark", "stripped")
    found = Verified(name="r", path="/r", problems=tuple(findings.problems))
    assert not found.sound
    assert found.model_dump(mode="json")["problems"] == [{"kind": "mark", "sentence": "stripped"}]


@pytest.mark.parametrize("psi", [0, -0.5, 1.5, float("nan"), "0.7", None])
def test_a_truncation_is_a_share(psi):
    assert StatedGeneration(num_images=1, batch_size=1).truncation == 1.0
    with pytest.raises(ValidationError):
        StatedGeneration(num_images=1, batch_size=1, truncation=psi)


@pytest.mark.parametrize("name", ["", "a/b", "x' or '1", "é", "x" * 65, "\n"])
def test_names_that_no_model_has_never_get_to_the_registry(name):
    with pytest.raises(ValidationError):
        StatedModel(name=name, version=1, run_id="r")
