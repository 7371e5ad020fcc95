"""Services that take too long to start: they are waited for, or a sentence says so."""

import contextlib
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration


@pytest.mark.slow
def test_a_temporary_server_that_is_not_up_in_time_is_one_sentence(tmp_path):
    drop = ("GANFLOW_", "PREFECT_", "MLFLOW_", "RAY_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(drop)}
    limit = {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "1"}  # it takes several
    done = subprocess.run(
        [sys.executable, "-m", "flows", "ingest", "digits"],
        env={**clean, **limit, "GANFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr == (
        "ganflow: Prefect's temporary server was not up within 1 s: try again when the machine is less busy, or start "
        "`ganflow up`, whose server all commands use\n"
    )


@pytest.mark.slow
def test_a_ray_whose_first_start_hangs_is_started_again():
    frozen, found, said = [], threading.Event(), []

    def freeze_the_first_raylet():
        while not found.wait(0.02):
            for process in psutil.Process().children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if process.name() == "raylet":
                        process.send_signal(signal.SIGSTOP)
                        frozen.append(process)
                        found.set()

    watching = threading.Thread(target=freeze_the_first_raylet)
    watching.start()
    try:
        with ray_cluster(Settings(ray_address=None), said.append) as nodes:
            assert len(nodes) == 1
    finally:
        found.set()
        watching.join()
    assert len(said) == len(frozen) == 1
    assert not frozen[0].is_running()
