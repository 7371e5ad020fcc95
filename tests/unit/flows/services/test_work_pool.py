"""The work pool is changed where it is there, made where it is not, and a refusal is a sentence."""

import json

import pytest

from flows.services.prefect_api import PrefectApiError
from flows.services.work_pool import TEMPLATE, make_work_pool
from gan.errors import ServiceError

CLOSED = json.loads(TEMPLATE.read_text())


class Api:
    """Prefect's API as far as it is asked here: pools by their names, and a status with which it refuses."""

    def __init__(self, pools=(), refuses=None):
        self.pools, self.refuses = {name: {} for name in pools}, refuses

    def patch(self, path, body):
        name = path.removeprefix("/work_pools/").replace("%2F", "/")
        if self.refuses or name not in self.pools:
            raise PrefectApiError(self.refuses or 404, path, b"\x1b[31mno")
        self.pools[name] |= body

    def post(self, path, body):
        assert path == "/work_pools/"
        self.pools[body["name"]] = body


def test_it_is_made_once_and_then_gets_its_template_back():
    api = Api()
    make_work_pool(api, "gan/flow")
    assert api.pools == {"gan/flow": {"name": "gan/flow", "type": "process", "base_job_template": CLOSED}}
    api.pools["gan/flow"] |= {"base_job_template": {"job_configuration": {"command": "sh"}}, "is_paused": True}
    make_work_pool(api, "gan/flow")
    assert api.pools["gan/flow"]["base_job_template"] == CLOSED
    assert api.pools["gan/flow"]["is_paused"], "who paused it had a reason"


def test_the_template_leaves_nothing_to_whoever_starts_a_run():
    assert CLOSED["variables"] == {"type": "object", "properties": {}, "additionalProperties": False}
    assert not {"command", "env", "working_dir"} & set(CLOSED["job_configuration"])


def test_a_refusal_is_a_sentence():
    with pytest.raises(ServiceError, match=r"did not take the work pool ganflow .*answered 401") as caught:
        make_work_pool(Api(["ganflow"], refuses=401), "ganflow")
    assert str(caught.value).isprintable()
