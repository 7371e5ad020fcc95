"""Real hosts on one machine: network namespaces, each with an address of its own."""

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from string import ascii_lowercase

import pytest

from drilling.commands import clean_environment
from drilling.head import RAY

HEAD, OTHER = "10.91.0.1", "10.91.0.2"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Hosts:
    """Namespaces, each with an address of its own, joined by a bridge that nothing else is on.

    Args:
        environment: of what runs there.
        addresses: in one network of 256.
    """

    def __init__(self, environment: dict[str, str], addresses: Sequence[str] = (HEAD, OTHER)) -> None:
        name = f"gf{os.getpid()}"
        self.names = {address: f"{name}{letter}" for address, letter in zip(addresses, ascii_lowercase, strict=False)}
        self.bridge = name
        self.environment = environment

    def make(self) -> None:
        ip("link", "add", self.bridge, "type", "bridge")
        ip("link", "set", self.bridge, "up")
        for address, name in self.names.items():
            ip("netns", "add", name)
            ip("link", "add", f"{name}0", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"{name}0", "master", self.bridge, "up")
            ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("eth0", "lo"):
                ip("-n", name, "link", "set", device, "up")

    def command(self, address: str, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.names[address], *words]

    def start(self, address: str, log: Path, *words: str) -> subprocess.Popen[bytes]:
        with log.open("wb") as file:
            return subprocess.Popen(self.command(address, *words), stdout=file, stderr=file, env=self.environment)

    def run(self, address: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = self.environment | more
        command = self.command(address, *words)
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)

    def cut(self, address: str) -> None:
        """Take a host's network away."""
        ip("link", "set", f"{self.names[address]}0", "down")

    def join(self, address: str) -> None:
        ip("link", "set", f"{self.names[address]}0", "up")

    def pids(self, address: str) -> list[int]:
        """All processes on a host."""
        there = subprocess.run(["ip", "netns", "pids", self.names[address]], capture_output=True, text=True, check=True)
        return [int(pid) for pid in there.stdout.split()]

    def kill(self, address: str) -> int:
        """SIGKILL for all that runs on a host; how many processes."""
        pids = self.pids(address)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(pids)

    def until(self, *words: str) -> None:
        """Ask again on the head until a command succeeds."""
        for _ in range(120):
            done = self.run(HEAD, *words)
            if done.returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError(done.stderr)

    def start_head(self, log: Path, sessions: str) -> None:
        """Start Ray on the first host, with one processor; `sessions` is a folder with a short name."""
        own = [f"--node-ip-address={HEAD}", "--port=6379", f"--temp-dir={sessions}", "--include-dashboard=false"]
        self.start(HEAD, log, RAY, "start", "--num-cpus=1", "--block", "--head", *own)
        self.until(RAY, "status", f"--address={HEAD}:6379")

    def start_node(self, log: Path, *before: str) -> subprocess.Popen[bytes]:
        """Start Ray on the other host, with one processor, behind the words of another command."""
        place = [f"--address={HEAD}:6379", f"--node-ip-address={OTHER}"]
        return self.start(OTHER, log, *before, RAY, "start", "--num-cpus=1", "--block", *place)

    def remove(self) -> None:
        for address, name in self.names.items():
            with suppress(subprocess.CalledProcessError):
                self.kill(address)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True, check=False)


@contextmanager
def two_hosts(**settings: str) -> Iterator[Hosts]:
    """Make two hosts with settings in their environment, or skip the test where they cannot be made."""
    if os.getuid() != 0 or not all(map(shutil.which, ("ip", "unshare", "mount"))):
        pytest.skip("two hosts on one machine want root, iproute2, unshare and mount")
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    hosts = Hosts(clean_environment(**token, GLOO_SOCKET_IFNAME="eth0", **settings))
    try:
        try:
            hosts.make()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this machine makes no network namespaces: {error.stderr}")
        yield hosts
    finally:
        hosts.remove()
