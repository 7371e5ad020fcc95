"""What Prefect buys: retries where they help, on a real ephemeral server."""

import pytest
from prefect import flow, task
from prefect.testing.utilities import prefect_test_harness

from gan.errors import DatasetError
from tasks.steps.retry import worth_retrying

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module", autouse=True)
def server():
    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.mark.parametrize(("error", "tries"), [(DatasetError, 1), (OSError, 2)])
def test_what_ganflow_can_explain_is_not_tried_again(error, tries):
    seen = []

    @task(retries=1, retry_delay_seconds=0, retry_condition_fn=worth_retrying)
    def step():
        seen.append(1)
        raise error("no")

    @flow
    def whole():
        step()

    with pytest.raises(error):
        whole()
    assert len(seen) == tries
