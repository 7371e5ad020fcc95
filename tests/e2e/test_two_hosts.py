"""A cluster of two hosts that share an object store and nothing else: network namespaces, and folders of one alone."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from drilling.homes import home_with_digits
from drilling.hosts import HEAD, OTHER, Hosts, two_hosts

import flows
import gan
import tasks

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]
STORE = f"http://{HEAD}:5005"
HIDE = 'while [ "$1" != -- ]; do mount -t tmpfs private "$1"; shift; done; shift; exec "$@"'
OUR_CODE = [package.__path__[0] for package in (gan, tasks, flows)]
MAKE_BUCKET = "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], method='PUT'), timeout=5)"


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    pytest.importorskip("moto.server")
    store = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_EC2_METADATA_DISABLED": "true"}
    with two_hosts(**store, AWS_ENDPOINT_URL=STORE, XDG_CACHE_HOME=str(tmp_path / "caches")) as hosts:
        yield hosts


@pytest.fixture
def home(tmp_path: Path) -> tuple[Path, str]:
    """A home with a dataset, and the md5 of that."""
    return tmp_path / "home", home_with_digits(tmp_path / "home", tmp_path)


@pytest.mark.parametrize("ships", [False, True], ids=["has the code", "is given the code"])
def test_a_node_that_shares_nothing_with_the_driver_trains_along(hosts, home, tmp_path, ships):
    folder, md5 = home
    caches = tmp_path / "caches"
    caches.mkdir()
    # a socket's path is short
    with tempfile.TemporaryDirectory(prefix="gf") as sessions:
        hosts.start(HEAD, tmp_path / "store.log", sys.executable, "-m", "moto.server", "-H", HEAD, "-p", "5005")
        hosts.until(sys.executable, "-c", MAKE_BUCKET, f"{STORE}/bucket")
        hosts.start_head(tmp_path / "head.log", sessions)
        hidden = [str(folder), str(caches), *(OUR_CODE if ships else ())]
        apart = ["unshare", "--mount", "--propagation", "private", "bash", "-c", HIDE, "node", *hidden, "--"]
        node = hosts.start_node(tmp_path / "node.log", *apart)
        there = "import ray, sys; ray.init(sys.argv[1]); sys.exit(sum(n['Alive'] for n in ray.nodes()) != 2)"
        hosts.until(sys.executable, "-c", there, f"{HEAD}:6379")

        place = {"GANFLOW_HOME": str(folder), "GANFLOW_STORAGE": "s3://bucket/runs", "RAY_ADDRESS": f"{HEAD}:6379"}
        command = [str(Path(sys.executable).with_name("ganflow")), "train", "--preset", "debug", "--workers", "2"]
        sets = ["--set", "train.total_kimg=2", "--set", "evaluation.watch_images=20", "--json"]
        if ships:
            refused = hosts.run(HEAD, *command, *sets, **place)
            assert refused.returncode == 1
            assert f"node {OTHER} cannot take part (ganflow " in refused.stderr
            assert "(no code)" in refused.stderr
            place["GANFLOW_SHIP_CODE"] = "1"
        done = hosts.run(HEAD, *command, *sets, **place)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert (result["dataset_md5"], result["end_nimg"]) == (md5, 2016), "63 steps of 32 images"
        assert result["kid"] is not None
        of_the_node = Path(f"/proc/{node.pid}/root")
        assert not list(of_the_node.joinpath(*folder.parts[1:]).iterdir())
        decoded = of_the_node.joinpath(*caches.parts[1:], "ganflow", "resident")
        assert [path.name for path in decoded.iterdir() if path.suffix not in {".lock", ".fetch"}] == [md5]
        hosts.remove()
