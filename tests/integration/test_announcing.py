"""The event of a new version, on a real Prefect server: sent when it is there, in the outbox as long as it is not."""

import logging
import time

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.testing.utilities import prefect_test_harness

from flows.services import deliver_outbox
from gan.configuration.config import DataConfig
from gan.data.sources.spec import SourceSpec
from tasks.dataset.repository import current_md5
from tasks.ingest import ledger, outbox
from tasks.ingest.ledger import DATASET_VERSIONED
from tasks.ingest.run import INGEST_LOCK, ingest_dataset
from tasks.runtime.locks import hold_lock
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration
LOG = logging.getLogger(__name__)


@pytest.fixture(scope="module", autouse=True)
def server():
    with prefect_test_harness(server_startup_timeout=120):
        yield


def announced():
    """The md5s of the events that the server has, oldest first."""
    wanted = {"filter": {"event": {"name": [DATASET_VERSIONED]}, "order": "ASC"}}
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/events/filter", json=wanted).json()["events"]
    return [event["payload"]["md5"] for event in found]


def eventually(md5s):
    """Wait until the server has written events down, which it does in batches."""
    with get_client(sync_client=True) as client:
        for _ in range(120):
            if announced()[-len(md5s) :] == md5s:
                return True
            client.request("GET", "/health")
            time.sleep(0.25)
    return False


def new_settings(path):
    settings = Settings(ganflow_home=path, mlflow_tracking_uri=f"sqlite:///{path / 'mlflow.db'}")
    settings.state_dir.mkdir(parents=True)
    return settings


def ingest(settings, resolution=16, announce=True):
    return ingest_dataset(settings, SourceSpec("digits"), DataConfig(resolution=resolution), LOG, announce=announce)


def test_an_event_is_owed_until_the_server_has_it(tmp_path, monkeypatch, caplog):
    settings = new_settings(tmp_path)
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        done = ingest(settings)
    md5 = done.version.md5
    assert done.version.changed
    assert "the event dataset.versioned could not be sent to Prefect" in caplog.text
    assert outbox.pending(settings).announce
    assert md5 not in announced()
    # A kill before anything is recorded, and then an ingest of the same: the event comes, and the change is told.
    again = ingest(settings)
    assert again.version.md5 == md5
    assert again.version.changed
    assert outbox.pending(settings) is None
    assert eventually([md5])
    assert not ingest(settings).version.changed, "it has been told by now"
    assert announced().count(md5) == 1


def test_a_kill_between_version_and_event_loses_nothing(tmp_path, monkeypatch):
    settings = new_settings(tmp_path)

    def killed(*_):
        if outbox.pending(settings):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "announce", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(settings, resolution=8)
    note = outbox.pending(settings)
    assert (note.announce, note.record) == (True, True)
    monkeypatch.setenv("GANFLOW_HOME", str(settings.home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settings.tracking_uri)
    with hold_lock(settings.state_dir / INGEST_LOCK):
        deliver_outbox.main()
    assert outbox.pending(settings) == note, "an ingest at work delivers it itself"
    deliver_outbox.main()  # as `ganflow up` does when it starts
    assert outbox.pending(settings) is None
    md5 = current_md5(settings)
    assert eventually([md5])
    # The same event sent twice is one.
    ledger._send(note.event, md5, {"md5": md5})
    assert announced().count(md5) == 1
