"""Hugging Face's `datasets` itself: local datasets, saved ones, and a hub that does not answer."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.integration

# In a process of its own: `datasets` reads its environment when it is imported.
PROGRAM = """
import json, os, sys
from pathlib import Path
from gan.data.records import Reject, read_all
from gan.data.sources.hub.source import open_hub
from gan.errors import GanflowError
try:
    source = open_hub(sys.argv[1], (255, 255, 255), Path(sys.argv[2]))
except GanflowError as error:
    print(json.dumps({"error": str(error)}))
else:
    records = [
        [each.path, each.reason] if isinstance(each, Reject)
        else [each.path, each.label, each.split, each.pixels.ravel().tolist()[:3]]
        for each in read_all(source)
    ]
    facts = {"name": source.name, "kind": source.kind, "classes": source.class_names, "split": source.has_split}
    print(json.dumps(facts | {"records": records, "identity": [part.identity() for part in source.parts()]}))
# A thread of one of the libraries sometimes aborts Python's own end, when all has been said.
sys.stdout.flush()
os._exit(0)
"""


def run(name, tmp_path, **environment):
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": "hf_secretsecret"} | environment
    for variable in ("HF_ENDPOINT", "HF_HUB_OFFLINE"):
        environment.setdefault(variable, {"HF_ENDPOINT": "http://127.0.0.1:1", "HF_HUB_OFFLINE": "1"}[variable])
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(name), str(tmp_path / "scratch")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stdout + done.stderr
    (line,) = done.stdout.splitlines()  # no progress bars
    return json.loads(line)


def save(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), level, np.uint8)).save(path)


def folder_of_pngs(tmp_path):
    for split, name, level in [("train", "dog", 1), ("train", "cat", 2), ("test", "cat", 3), ("validation", "dog", 4)]:
        save(tmp_path / "pets" / split / name / f"{level}.png", level)
    return tmp_path / "pets"


def test_a_folder_as_datasets_understands_it(tmp_path):
    pets = folder_of_pngs(tmp_path)
    found = run(pets, tmp_path)
    assert (found["name"], found["kind"], found["classes"]) == ("pets", "huggingface", ["cat", "dog"])
    assert found["split"] is True
    assert sorted(found["records"]) == [
        ["test.parquet/0", 0, "test", [3, 3, 3]],
        ["train.parquet/0", 0, "train", [2, 2, 2]],
        ["train.parquet/1", 1, "train", [1, 1, 1]],
        ["validation.parquet/0", 1, "train", [4, 4, 4]],
    ]
    copies = {path: path.stat().st_mtime_ns for path in (tmp_path / "scratch").iterdir()}
    assert len(copies) == 3
    assert run(pets, tmp_path) == found
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "scratch").iterdir()} == copies
    save(pets / "test" / "cat" / "5.png", 5)
    assert len(run(pets, tmp_path)["records"]) == 5


def test_a_folder_of_zips_and_one_split(tmp_path):
    import shutil

    save(tmp_path / "in" / "a.png", 1)
    save(tmp_path / "in" / "b.png", 2)
    (tmp_path / "set" / "data").mkdir(parents=True)
    shutil.make_archive(str(tmp_path / "set" / "data" / "train"), "zip", tmp_path / "in")
    found = run(tmp_path / "set", tmp_path)
    assert (found["classes"], found["split"]) == ([], False)
    assert [(each[1], each[2], each[3][0]) for each in found["records"]] == [(-1, None, 1), (-1, None, 2)]


def test_a_dataset_that_names_files_of_this_machine_does_not_get_them(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    save(tmp_path / "private" / "a.png", 1)
    (tmp_path / "set").mkdir()
    features = {"info": {"features": {"image": {"_type": "Image"}}}}
    inside = tmp_path / "set" / "b.bin"
    save(tmp_path / "set" / "b.png", 2)
    os.rename(tmp_path / "set" / "b.png", inside)
    paths = [
        str(tmp_path / "private" / "a.png"),
        str(inside),
        f"{tmp_path}/set/../private/a.png",
        f"file://{tmp_path}/private/a.png",
        "http://127.0.0.1:1/a.png",
        f"file://{tmp_path}/private/a.png::{inside}",
        "",
    ]
    images = pa.array([{"bytes": None, "path": path} for path in paths])
    table = pa.table({"image": images.cast(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), tmp_path / "set" / "x.parquet")
    found = run(tmp_path / "set", tmp_path)
    assert [each[1] for each in found["records"]] == ["no image bytes", -1, *["no image bytes"] * 5]


def test_a_saved_dataset(tmp_path):
    program = """
import sys, datasets
images = datasets.load_dataset(sys.argv[1])
images.save_to_disk(sys.argv[2])
images["train"].save_to_disk(sys.argv[3])
"""
    environment = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    places = [folder_of_pngs(tmp_path), tmp_path / "whole", tmp_path / "one"]
    subprocess.run([sys.executable, "-c", program, *map(str, places)], env=environment, check=True, timeout=200)
    assert len(run(tmp_path / "whole", tmp_path)["records"]) == 4
    one = run(tmp_path / "one", tmp_path)
    assert (len(one["records"]), one["split"]) == (2, False)


def test_a_dataset_without_images(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.csv").write_text("text,label\nhello,1\n")
    error = run(tmp_path / "set", tmp_path)["error"]
    assert "cannot be used (no column of images: its columns are text, label): give one of images" in error


@pytest.mark.parametrize("make", [lambda path: None, lambda path: (path / "x.py").write_text("raise SystemExit")])
def test_a_folder_without_data(tmp_path, make):
    (tmp_path / "set").mkdir()
    make(tmp_path / "set")
    error = run(tmp_path / "set", tmp_path)["error"]
    assert error.startswith("the Hugging Face dataset ")
    assert "\n" not in error


def test_a_script_is_not_run(tmp_path):
    pets = folder_of_pngs(tmp_path)
    (pets / "pets.py").write_text("raise SystemExit(3)")
    assert "scripts are no longer supported" in run(pets, tmp_path)["error"]


def test_a_missing_configuration_is_told(tmp_path):
    pets = folder_of_pngs(tmp_path)
    (pets / "README.md").write_text(
        "---\nconfigs:\n- config_name: a\n  data_files: train/**\n- config_name: b\n  data_files: test/**\n---\n"
    )
    error = run(pets, tmp_path)["error"]
    assert "'a', 'b'" in error
    assert error.endswith(f"as in {pets}:configuration")
    assert len(run(f"{pets}:b", tmp_path)["records"]) == 1


@contextmanager
def hub(status, headers):
    """Serve one answer to everything; without a status the connection is closed. Yields its URL and what was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            asked.append(self.path)
            if not status:
                self.close_connection = True
                return
            self.send_response(status if self.path != "/" else 200)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self):
            self.answer()

        def do_HEAD(self):
            self.answer()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_hub_that_does_not_answer_is_asked_once(tmp_path):
    with hub(None, {}) as (url, asked):
        error = run("org/name", tmp_path, HF_ENDPOINT=url, HF_HUB_OFFLINE="0")["error"]
    assert f"org/name cannot be fetched, for {url} does not answer" in error
    assert "HF_HUB_OFFLINE=1" in error
    assert asked == ["/"]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [(401, "RepoNotFound", "doesn't exist on the Hub or cannot be accessed"), (403, "GatedRepo", "is a gated dataset")],
)
def test_a_dataset_that_the_hub_does_not_give_is_told(tmp_path, status, code, words):
    with hub(status, {"X-Error-Code": code, "X-Error-Message": "no"}) as (url, _):
        error = run("org/name", tmp_path, HF_ENDPOINT=url, HF_HUB_OFFLINE="0")["error"]
    assert error.startswith("the Hugging Face dataset org/name cannot be loaded")
    assert words in error
    assert error.endswith("ask for access on its page and run `hf auth login`")


def test_offline_what_was_not_fetched_is_told(tmp_path):
    error = run("org/name:config@v1", tmp_path)["error"]
    assert error.startswith("the Hugging Face dataset org/name:config@v1 cannot be loaded")
    assert error.endswith("check the network")
