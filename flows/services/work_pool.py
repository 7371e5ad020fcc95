"""The work pool of `ganflow up`: made, or made anew from its template, whatever somebody changed in it."""

import json
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from flows.services.prefect_api import PrefectApi, PrefectApiError
from gan.errors import ServiceError
from gan.text.shown import shown

# Nobody who may start a run may choose what is executed for it: no command, no environment, no folder.
TEMPLATE = Path(__file__).with_name("work_pool.json")


def make_work_pool(api: PrefectApi, name: str) -> None:
    """Make the pool, or give the one of that name its template back.

    Raises:
        ServiceError: Prefect's server refuses, or does not answer.
    """
    template = {"base_job_template": json.loads(TEMPLATE.read_text())}
    try:
        try:
            api.patch(f"/work_pools/{quote(name, safe='')}", template)
        except PrefectApiError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            api.post("/work_pools/", {**template, "name": name, "type": "process"})
    except OSError as error:
        raise ServiceError(
            f"Prefect's server did not take the work pool {name} ({shown(str(error))}): see its log, and try again"
        ) from None
