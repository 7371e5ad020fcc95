"""Memory that this process may still take on its host: what is free there, less what its groups and limits forbid."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PROC = Path("/proc")
_Names = tuple[tuple[str, ...], str, tuple[str, ...]]
_V1: _Names = (("memory.limit_in_bytes",), "memory.usage_in_bytes", ("total_inactive_file", "total_active_file"))
_V2: _Names = (("memory.max", "memory.high"), "memory.current", ("inactive_file", "active_file"))


def free_host_bytes(proc: Path = PROC) -> int:
    """Return bytes that this process may still take: the least of what the host, its control groups and limits leave.

    Pages of files that are kept in memory count as free: the kernel gives them back.

    Args:
        proc: where the kernel tells of processes.
    """
    return max(0, min([_of_the_host(proc), *_of_groups(proc), *_of_limits(proc)]))


def _of_the_host(proc: Path) -> int:
    try:
        return _table(proc / "meminfo")["MemAvailable"] * 1024
    except (OSError, KeyError):  # no Linux: half of what is built in
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _of_limits(proc: Path) -> Iterator[int]:
    """What `ulimit -v` and `ulimit -d` leave."""
    try:
        status = _table(proc / "self/status")
    except OSError:
        return
    for limit, used in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        most, _ = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY and used in status:
            yield most - status[used] * 1024


def _of_groups(proc: Path) -> Iterator[int]:
    """What each control group of this process and each of their parents leaves, by version 1 and 2 of the kernel's."""
    try:
        mounts = (proc / "self/mountinfo").read_text("utf-8").splitlines()
        groups = (proc / "self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        root, mount = fields.split()[3:5]
        kind, *_, options = rest.split()
        if kind == "cgroup2":
            path, names = _path_of(groups, ""), _V2
        elif kind == "cgroup" and "memory" in options.split(","):
            path, names = _path_of(groups, "memory"), _V1
        else:
            continue
        if path is not None:
            yield from _up_from(Path(mount), root, path, names)


def _path_of(groups: list[str], controller: str) -> str | None:
    """The group of this process in a hierarchy, from lines such as `4:memory:/docker/1f` and `0::/user.slice`."""
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            return path
    return None


def _up_from(mount: Path, root: str, path: str, names: _Names) -> Iterator[int]:
    """What a group and its parents leave, as far as they can be seen; a container sees its own as the topmost."""
    try:
        below = PurePosixPath(path).relative_to(root)
    except ValueError:
        below = PurePosixPath()
    for folder in (mount / below, *(mount / parent for parent in below.parents)):
        yield from _left_in(folder, *names)


def _left_in(folder: Path, limits: tuple[str, ...], usage: str, cached: tuple[str, ...]) -> Iterator[int]:
    try:
        used, statistics = int((folder / usage).read_text("utf-8")), _table(folder / "memory.stat")
        texts = [(folder / name).read_text("utf-8").strip() for name in limits]
    except (OSError, ValueError):  # the topmost group has no limits
        return
    kept = used - sum(statistics.get(name, 0) for name in cached)
    yield from (int(text) - kept for text in texts if text != "max")


def _table(path: Path) -> dict[str, int]:
    """Lines of a name and a number, such as `MemFree:  12 kB` or `active_file 4096`."""
    lines = (line.replace(":", " ").split() for line in path.read_text("utf-8").splitlines())
    return {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}
