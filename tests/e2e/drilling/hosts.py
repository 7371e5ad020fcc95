"""Two real hosts on one machine: network namespaces, each with an address of its own."""

import os
import signal
import subprocess
from pathlib import Path

HEAD, OTHER = "10.91.0.1", "10.91.0.2"


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Hosts:
    """Two namespaces, each with an address of its own, joined by a bridge that nothing else is on."""

    def __init__(self, environment: dict[str, str]) -> None:
        name = f"gf{os.getpid()}"
        self.names, self.bridge = {HEAD: f"{name}a", OTHER: f"{name}b"}, name
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

    def remove(self) -> None:
        for name in self.names.values():
            there = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False)
            for pid in there.stdout.split():
                os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self.bridge], capture_output=True, check=False)
