"""The services of deploy/compose.yaml without containers: a host, processes and a file system of its own for each."""

import graphlib
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from drilling.hosts import Hosts
from drilling.images import DEPLOY, search_path
from drilling.service import Service

NETWORK = "10.92.0"
PROGRAMS = (
    *("ip", "mount", "nsenter", "setpriv", "unshare", "wget"),
    *("initdb", "pg_ctl", "pg_isready", "postgres", "psql"),
)


def read() -> dict[str, Any]:
    """What the file says, with secrets that were made up just now."""
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    made_up = {name: secrets.token_hex(32) for name in re.findall(r"\$\{(\w+):\?", text)}
    return dict(yaml.safe_load(re.sub(r"\$\{(\w+):\?[^}]*\}", lambda found: made_up[found[1]], text)))


class Compose:
    """All services.

    Args:
        folder: for all that they leave.
    """

    def __init__(self, folder: Path) -> None:
        self.file, self.folder = read(), folder
        self.specs: dict[str, dict[str, Any]] = self.file["services"]
        names = [(service, name) for service, spec in self.specs.items() for name in _replicas(service, spec)]
        addresses = [f"{NETWORK}.{number + 2}" for number in range(len(names))]
        self.hosts = Hosts({}, addresses)
        self.services: dict[str, list[Service]] = {service: [] for service in self.specs}
        for address, (service, name) in zip(addresses, names, strict=True):
            self.services[service].append(Service(self.hosts, address, name, self.specs[service], folder))

    def __getitem__(self, name: str) -> Service:
        (service,) = self.services[name]
        return service

    def start(self) -> None:
        """Start each service when those that it needs are healthy."""
        lines = [f"{each.address} {service} {each.name}" for service, here in self.services.items() for each in here]
        (self.folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *lines, ""]))
        (self.folder / "configs").mkdir()
        for name, config in self.file["configs"].items():
            (self.folder / "configs" / name).write_text(config["content"])
        needs = {name: list(spec.get("depends_on", ())) for name, spec in self.specs.items()}
        for name in graphlib.TopologicalSorter(needs).static_order():
            for needed in needs[name]:
                assert self.specs[name]["depends_on"][needed] == {"condition": "service_healthy"}
            self._wait_for(*needs[name])
            for each in self.services[name]:
                each.start()
        self._wait_for(*self.specs)

    def _wait_for(self, *names: str) -> None:
        for name in names:
            for each in self.services[name]:
                each.wait_until_healthy()

    def end(self) -> list[int]:
        """End all, and return what runs nevertheless."""
        all_of_them = [each for here in self.services.values() for each in here]
        for each in all_of_them:
            each.end()
        left = [pid for each in all_of_them for pid in self.hosts.pids(each.address)]
        self.hosts.remove()
        return left


def _replicas(service: str, spec: dict[str, Any]) -> list[str]:
    count = spec.get("deploy", {}).get("replicas", 1)
    return [service] if count == 1 else [f"{service}-{number + 1}" for number in range(count)]


@contextmanager
def compose(folder: Path) -> Iterator[Compose]:
    """Start all services of the file, or skip the test where they cannot be had; afterwards nothing of them runs."""
    pytest.importorskip("moto.server")
    missing = [name for name in PROGRAMS if not shutil.which(name, path=search_path())]
    if os.getuid() != 0 or missing:
        pytest.skip(f"services without containers want root, and {', '.join(PROGRAMS)}; missing: {missing}")
    services = Compose(folder)
    try:
        services.hosts.make()
    except subprocess.CalledProcessError as error:
        services.hosts.remove()
        pytest.skip(f"this machine makes no network namespaces: {error.stderr}")
    try:
        services.start()
        yield services
    finally:
        assert services.end() == []
