"""A service of a compose file on a host of its own: processes and a file system apart, and no container."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from drilling.hosts import Hosts
from drilling.images import environment, words

OVERLAID = ("etc", "home", "run", "var", "tmp")  # what is mounted comes from the last one
PATIENCE = 900
"""Seconds for a healthcheck to turn green on a machine that does much else."""


class Service:
    """One container's stand-in.

    Args:
        hosts: where it runs.
        address: of its host.
        name: of its host.
        spec: what the file says of it.
        folder: for all that it leaves.
    """

    def __init__(self, hosts: Hosts, address: str, name: str, spec: Mapping[str, Any], folder: Path) -> None:
        self.hosts, self.address, self.name, self.spec, self.folder = hosts, address, name, spec, folder
        self.log = folder / f"{name}.log"
        self.environment = environment(spec)
        self.place = self.environment.get("GANFLOW_HOME", "/")
        self.healthy = False
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start its command; names of hosts, contents of configs and volumes lie in the folder."""
        script = "\n".join([*self._file_system(), '"$@" & wait $!'])
        own = ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child", "--mount-proc"]
        command = self.hosts.command(self.address, *own, "--propagation", "private", "bash", "-c", script, self.name)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *words(self.spec)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                start_new_session=True,
            )

    def _file_system(self) -> Iterator[str]:
        """Lines of a shell: what is written stays apart, but for volumes."""
        scratch = self.folder / self.name
        scratch.mkdir()
        yield f"set -e; mount -t tmpfs own {scratch}"
        for folder in OVERLAID:
            if folder == OVERLAID[-1]:
                yield from self._mounts()
            upper, work = scratch / folder, scratch / f"{folder}.work"
            yield f"mkdir {upper} {work}"
            yield f"mount -t overlay own -o lowerdir=/{folder},upperdir={upper},workdir={work} /{folder}"
        # other clusters of this machine are not seen
        yield "mkdir -p /tmp/ray; mount -t tmpfs own /tmp/ray"
        yield f"mount -t tmpfs -o size={self.spec.get('shm_size', '64mb').removesuffix('b')} own /dev/shm"
        yield f"echo {self.name} > /proc/sys/kernel/hostname"
        yield f"mkdir -p {self.place}; cd {self.place}"

    def _mounts(self) -> Iterator[str]:
        yield f"cp {self.folder / 'hosts'} /etc/hosts"
        for each in self.spec.get("configs", ()):
            yield f"mkdir -p {Path(each['target']).parent}"
            yield f"cp {self.folder / 'configs' / each['source']} {each['target']}"
        for each in self.spec.get("volumes", ()):
            source, target = each.split(":")[:2]
            if target.split("/")[1] in OVERLAID:
                volume = self.folder / "volumes" / source
                yield f"mkdir -p {volume} {target}; mount --bind {volume} {target}"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run something beside what runs there, as `docker compose exec` does."""
        enter = ["nsenter", f"--target={self._first().pid}", "--mount", "--net", "--pid", "--uts"]
        command = [*enter, "env", f"--chdir={self.place}", *words]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment, check=False)

    def wait_until_healthy(self) -> None:
        """Ask as the file says until the answer is good."""
        kind, *asks = self.spec["healthcheck"]["test"]
        assert kind == "CMD"
        give_up = time.monotonic() + PATIENCE
        while not self.healthy:
            time.sleep(0.5)
            answer = self.run(*asks)
            self.healthy = answer.returncode == 0
            assert time.monotonic() < give_up, f"{self.name} is not healthy: {answer}\n{self.said()}"

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]

    def end(self) -> None:
        """End the first of its processes, and with that all."""
        if self.process is not None:
            with suppress(AssertionError, psutil.NoSuchProcess):
                self._first().kill()
            self.process.wait()

    def _first(self) -> psutil.Process:
        """The one at whose end the kernel ends all others."""
        assert self.process is not None
        while self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children():
                return child
            time.sleep(0.05)
        raise AssertionError(f"{self.name} ended:\n{self.said()}")
