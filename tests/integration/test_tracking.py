"""Clients of MLflow's stores, one after another in a process."""

import pytest

from gan.errors import ServiceError
from tasks.runtime.settings import Settings
from tasks.tracking.client import client

pytestmark = pytest.mark.integration


def test_a_store_that_cannot_be_used_leaves_the_next_one_usable(tmp_path):
    with pytest.raises(ServiceError, match="MLflow cannot use"):
        client(Settings(ganflow_home=tmp_path, mlflow_tracking_uri="postgresql://nobody@127.0.0.1:9/none"))
    with pytest.raises(ServiceError, match="MLflow cannot use"):
        client(Settings(ganflow_home=tmp_path, mlflow_tracking_uri="unheard-of://place"))
    assert client(Settings(ganflow_home=tmp_path, mlflow_tracking_uri=None)).search_experiments()
