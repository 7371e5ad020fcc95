"""What Prefect buys: retries where they help, on a real ephemeral server."""

import errno

import pytest
from prefect import flow
from prefect.testing.utilities import prefect_test_harness

from gan.errors import DatasetError, OutOfPatienceError, ResourcesError, ServiceError
from tasks.runtime.retry import RETRIES, step

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", autouse=True)
def server():
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.mark.parametrize(
    ("error", "told", "tries"),
    [
        (DatasetError("no"), DatasetError, 1),
        (OutOfPatienceError("no"), OutOfPatienceError, 1),
        (ValueError("a bug"), ValueError, 1),
        (OSError(errno.ENOSPC, "No space left on device"), ResourcesError, 1),
        (ServiceError("no"), ServiceError, 1 + RETRIES),
        (ConnectionError("no"), ServiceError, 1 + RETRIES),
        (OSError("odd"), OSError, 1 + RETRIES),
    ],
    ids=repr,
)
def test_the_weather_is_tried_again_and_nothing_else(monkeypatch, caplog, error, told, tries):
    monkeypatch.setattr("tasks.runtime.retry.FIRST_SECONDS", 0.01)
    seen = []

    @step()
    def failing(number: int) -> int:
        """Fail."""
        seen.append(number)
        raise error

    @flow
    def whole():
        failing(7)

    assert failing.name == "failing"
    with pytest.raises(told):
        whole()
    assert seen == [7] * tries
    assert caplog.text.count("tried again in a moment") == tries - 1
