"""Makes the work pool and deploys the flows; `ganflow up` runs this as a program while Prefect's server starts.

Both take seconds to import what they need, and can do so at the same time.
"""

import os
import sys
import time
from importlib import import_module

import yaml
from prefect.cli import app

from flows.services.discovery import AUTH, answers
from flows.services.prefect_api import PrefectApi
from flows.services.work_pool import make_work_pool


def main(work_pool: str, prefect_yaml: str) -> None:
    """Deploy all that a file names, as soon as the server at PREFECT_API_URL answers.

    Args:
        work_pool: name of the pool, made anew from its template.
        prefect_yaml: path of the file.
    """
    with open(prefect_yaml, encoding="utf-8") as file:
        for deployment in yaml.safe_load(file).get("deployments") or []:
            if "/" not in deployment.get("entrypoint", "/"):  # a module, which Prefect would import later
                import_module(deployment["entrypoint"].rpartition(".")[0])
    url = os.environ["PREFECT_API_URL"]
    while not answers(f"{url}/health"):  # `ganflow up` watches the clock
        time.sleep(0.1)
    make_work_pool(PrefectApi(url, os.environ.get(AUTH)), work_pool)
    sys.argv = ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", prefect_yaml]
    app()


if __name__ == "__main__":
    main(*sys.argv[1:])
