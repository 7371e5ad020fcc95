"""What a release says of its own state, where no registry is asked; the registry is in the integration tests."""

import pytest
from fuzzing.releases import release

from tasks.releases.states import State
from tasks.runtime.settings import Settings
from tasks.verify import state
from tasks.verify.files import read_stated
from tasks.verify.record import Findings, StatedCheck

PASSED, FAILED = StatedCheck(passed=True, said="fine"), StatedCheck(passed=False, said="3 copies")


@pytest.fixture
def stated(tmp_path):
    return read_stated((release(tmp_path / "r") / "manifest.json").read_bytes())


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Settings(ganflow_home=tmp_path)


@pytest.mark.parametrize(
    ("checks", "wanted"),
    [
        ((), (None, None)),
        ((PASSED,), (None, None)),
        ((PASSED, FAILED, FAILED), (State.QUARANTINED, "3 copies; 3 copies")),
    ],
)
def test_its_own_checks_say_that_it_was_refused(home, stated, checks, wanted):
    findings = Findings()
    told = state.release_state(home, stated.model_copy(update={"checks": checks}), None, findings)
    assert told == wanted
    assert bool(findings.notes) == (told == (None, None))
    assert not (home.home / "mlflow.db").exists()


def test_a_registry_that_is_away_is_a_note(home, stated):
    findings, away = Findings(), home.model_copy(update={"mlflow_tracking_uri": "http://127.0.0.1:9"})
    assert state.no_registry(away) is None
    assert state.release_state(away, stated, None, findings) == (None, None)
    assert findings.notes[0].startswith("whether it was recalled is not known: no MLflow server answers at")
