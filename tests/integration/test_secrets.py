"""A secret goes where it is needed and stays nowhere: not in a sentence, a record, a log or a command line."""

import http.server
import io
import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from urllib.request import urlopen

import numpy as np
import psutil
import pytest
from PIL import Image

from gan.errors import InputError
from tasks.ingest.credentials import find_authorization
from tasks.runtime.settings import Settings

pytestmark = pytest.mark.integration

# One for each way in.
TRACKING, TOKEN, WRONG, REMOTE, USER, QUERY, OVERRIDE, LABELS = (
    f"{way}7hunter2{way}" for way in ("tracking", "token", "wrong", "remote", "user", "query", "override", "labels")
)
SECRETS = (TRACKING, TOKEN, WRONG, REMOTE, USER, QUERY, OVERRIDE, LABELS)
CLASS = "hf_AbCdEfGhIjKlMnOpQrSt"  # a name, whatever it looks like


def pictures():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for index in range(60):
            png = io.BytesIO()
            Image.fromarray(np.random.default_rng(index).integers(0, 256, (16, 16), np.uint8)).save(png, "png")
            archive.writestr(f"{(CLASS, 'other')[index % 2]}/{index}.png", png.getvalue())
    return data.getvalue()


@pytest.fixture(scope="module")
def source():
    """A zip that is given to those who have the token."""
    body = pictures()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            self.send_response(200 if known else 401)
            self.send_header("Content-Length", str(len(body) if known else 0))
            self.end_headers()
            if known and self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - as the library calls it

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/pets.zip"
        server.shutdown()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home whose DVC remote has a password, and is away."""
    home = tmp_path_factory.mktemp("home")
    (home / ".dvc").mkdir()
    address = f"http://bob:{REMOTE}@127.0.0.1:9/store"
    (home / ".dvc" / "config").write_text(f"[core]\nremote = far\nno_scm = True\n['remote \"far\"']\nurl = {address}\n")
    return home


@pytest.fixture(scope="module")
def tracking(home):
    """The address, with a password, of an MLflow server."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_port
    command = [sys.executable, "-m", "mlflow", "server", "--no-serve-artifacts", "--workers", "1", "--port", str(port)]
    command += ["--default-artifact-root", str(home / "mlartifacts")]
    environment = os.environ | {
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{home / 'mlflow.db'}",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # as `ganflow up` has it; killed, they leave files in /dev/shm
    }
    with (home / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        for _ in range(600):
            try:
                urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://bob:{TRACKING}@127.0.0.1:{port}"
    finally:
        for child in psutil.Process(server.pid).children(recursive=True):
            child.kill()
        server.kill()
        server.wait()


def ingest(home, tracking, source, token):
    """Run the command; returns its status, what it printed, and the command lines of all that it started."""
    foreign = ("GANFLOW_", "PREFECT_", "MLFLOW_", "RAY_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {"GANFLOW_HOME": str(home), "MLFLOW_TRACKING_URI": tracking, "GANFLOW_SOURCE_TOKEN": token}
    command = [sys.executable, "-m", "flows", "ingest", source, "--preset", "debug", "--json"]
    lines = set()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as run:
        printed = []
        reader = threading.Thread(target=lambda: printed.append(run.stdout.read()))
        reader.start()
        while run.poll() is None:
            for process in psutil.Process(run.pid).children(recursive=True):
                try:
                    lines.update(process.cmdline())
                except psutil.Error:
                    continue
            time.sleep(0.5)
        reader.join()
    return run.returncode, printed[0], lines


def found_in(home, *texts):
    """Where any of the secrets is; the user's own configuration of DVC is where that one comes from."""
    files = [path for path in home.rglob("*") if path.is_file() and path != home / ".dvc" / "config"]
    contents = [*((str(path), path.read_bytes()) for path in files), *((text[:300], text.encode()) for text in texts)]
    return [(secret, where) for where, content in contents for secret in SECRETS if secret.encode() in content]


def test_a_refused_ingest_keeps_no_secret(home, tracking, source):
    status, printed, lines = ingest(home, tracking, source, WRONG)
    assert status == 2
    assert "the server answers 401" in printed
    assert found_in(home, printed, *lines) == []


def test_a_finished_ingest_keeps_no_secret(home, tracking, source):
    status, printed, lines = ingest(home, tracking, source, TOKEN)
    assert status == 0, printed
    answer = json.loads(printed.splitlines()[-1])
    assert "could not be pushed to the remote «far»" in answer["push_error"]
    assert found_in(home, printed, *lines) == []
    assert set(json.loads((home / "data" / "dataset.json").read_text())["counts"]["train"]) == {CLASS, "other"}
    database = home / ".ganflow" / "prefect" / "prefect.db"
    assert source.encode() in database.read_bytes() + database.with_name("prefect.db-wal").read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest", f"https://{USER}@host/a.zip"),
        ("ingest", f"https://host/a.zip?token={QUERY}"),
        ("run", "--source", f"s3://bob:{USER}@bucket/a"),
        ("ingest", "digits", "--labels", f"https://bob:{LABELS}@host/labels.csv"),
        ("ingest", "digits", f'--set=data.class_map={{"a": "https://bob:{OVERRIDE}@host"}}'),
        ("evaluate", "--data", f"https://bob:{USER}@host/a.zip"),
    ],
)
def test_a_credential_as_an_argument_is_refused_before_anything_is_written(ganflow, tmp_path, arguments):
    status, out, err = ganflow(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("ganflow: «")
    assert "GANFLOW_SOURCE_TOKEN" in err
    assert not (tmp_path / "home").exists()
    assert found_in(tmp_path, err) == []


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_an_mlflow_that_is_away_is_named_without_its_password(ganflow, tmp_path, monkeypatch, scheme):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{scheme}://bob:{TRACKING}@127.0.0.1:9/db")
    status, _, err = ganflow("generate")
    assert status == 75
    assert f"{scheme}://127.0.0.1:9/db" in err
    assert "bob" not in err
    assert found_in(tmp_path, err) == []


@pytest.mark.slow
def test_a_secret_block_of_prefect_is_taken_by_its_name(tmp_path):
    from prefect.blocks.system import Secret
    from prefect.testing.utilities import prefect_test_harness

    settings = Settings(ganflow_home=tmp_path, ganflow_source_token=WRONG)
    with prefect_test_harness(server_startup_timeout=120):
        Secret(value=TOKEN).save("mine")
        assert find_authorization(settings, "https://host/a.zip", "mine") == f"Bearer {TOKEN}"
        with pytest.raises(InputError, match="the Secret block «other» cannot be had"):
            find_authorization(settings, "https://host/a.zip", "other")
