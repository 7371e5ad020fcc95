"""What the images of deploy/compose.yaml start, on a machine that has none of them."""

import glob
import os
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gan

ROOT = Path(gan.__file__).parent.parent
DEPLOY = ROOT / "deploy"
# What PostgreSQL's image does with an empty volume. The server does not run as root.
POSTGRES = """
set -e
data=/var/lib/postgresql/18/docker sockets=/run/postgresql
mkdir -p "$data" "$sockets"
printf %s "$POSTGRES_PASSWORD" > /tmp/password
chown -R nobody /var/lib/postgresql "$sockets" /tmp/password
as_nobody="setpriv --reuid=nobody --clear-groups"
$as_nobody initdb --pgdata="$data" --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256
echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
$as_nobody pg_ctl --pgdata="$data" --wait start -o "-c unix_socket_directories=$sockets -c listen_addresses=''"
in_it="psql --host=$sockets --username=$POSTGRES_USER --set=ON_ERROR_STOP=1"
$in_it --dbname=postgres --command="CREATE DATABASE $POSTGRES_USER"
$in_it --dbname="$POSTGRES_USER" < "$1"
$as_nobody pg_ctl --pgdata="$data" --wait stop
exec $as_nobody postgres -D "$data" -c unix_socket_directories="$sockets" -c listen_addresses='*'
"""
# SeaweedFS makes the bucket, and answers who asks for its health: here a second bucket does.
STORE = """
"$1" -m moto.server -H 0.0.0.0 -p 8333 &
put='import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], method="PUT"), timeout=5)'
for bucket in "$S3_BUCKET" healthz; do
    until "$1" -c "$put" "http://127.0.0.1:8333/$bucket" 2> /dev/null; do sleep 0.2; done
done
wait
"""


def words(spec: Mapping[str, Any]) -> list[str]:
    """What a service's container would run: its command, or what stands in for its image."""
    image = spec["image"].partition(":")[0]
    if image == "postgres":
        (scripts,) = (each.split(":")[0] for each in spec["volumes"] if ":/docker-entrypoint-initdb.d/" in each)
        return ["bash", "-c", POSTGRES, image, str(DEPLOY / scripts)]
    if image == "chrislusf/seaweedfs":
        return ["bash", "-c", STORE, image, sys.executable]
    assert image == "ganflow"
    return shlex.split(spec["command"])


def environment(spec: Mapping[str, Any]) -> dict[str, str]:
    """All that a service's processes are told: by the file, by our image, and where programs are here."""
    here = {"PATH": search_path(), "PYTHONPATH": str(ROOT), "HOME": "/home/ganflow", "LANG": "C.UTF-8"}
    of_image = _of_our_image() if spec["image"].startswith("ganflow:") else {}
    return here | of_image | spec.get("environment", {})


def search_path() -> str:
    """Where programs are: of this environment, PostgreSQL's newest, and the system's."""
    servers = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
    return os.pathsep.join([str(Path(sys.executable).parent), *servers[-1:], os.environ["PATH"]])


def _of_our_image() -> dict[str, str]:
    """What deploy/Dockerfile sets."""
    found = re.search(r"^ENV ((?:.*\\\n)*.*)$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.M)
    assert found
    return dict(word.split("=", 1) for word in shlex.split(found[1].replace("\\\n", " ")))
