"""What a process may still take: the least of what its host, its control groups and its own limits leave."""

import resource
import subprocess
import sys

import pytest

from gan.device.memory import free_host_bytes

GIB = 2**30


@pytest.fixture
def kernel(tmp_path):
    """A folder like /proc, with 16 GiB free on the host, and groups that a test lays out."""
    (tmp_path / "self").mkdir()
    (tmp_path / "meminfo").write_text(f"MemTotal:  99999999 kB\nMemAvailable:   {16 * 2**20} kB\nHugePages_Total: 0\n")

    class Kernel:
        proc = tmp_path

        def mounts(self, *lines):
            (tmp_path / "self/mountinfo").write_text("".join(f"{line}\n" for line in lines))

        def groups(self, *lines):
            (tmp_path / "self/cgroup").write_text("".join(f"{line}\n" for line in lines))

        def group(self, path, **files):
            folder = tmp_path / path
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (folder / name.replace("memory_", "memory.")).write_text(f"{text}\n")

    return Kernel()


def v2(kernel, path, *, most, used=0, cached=0, high="max"):
    statistics = f"anon {used - cached}\ninactive_file {cached // 2}\nactive_file {cached - cached // 2}"
    kernel.group(path, memory_max=most, memory_high=high, memory_current=used, memory_stat=statistics)


def v1(kernel, path, *, most, used=0, cached=0):
    # the group's own pages stand there too, without those of the groups below it
    statistics = f"inactive_file 1\nactive_file 1\ntotal_inactive_file {cached}\ntotal_active_file 0"
    kernel.group(path, memory_limit_in_bytes=most, memory_usage_in_bytes=used, memory_stat=statistics)


def mount(kernel, folder, kind, options, root="/"):
    return f"31 23 0:28 {root} {kernel.proc / folder} rw,relatime shared:9 - {kind} {kind} rw,{options}"


def test_without_groups_it_is_what_the_host_has(kernel):
    assert free_host_bytes(kernel.proc) == 16 * GIB


def test_without_a_kernel_that_tells_it_is_half_of_what_is_built_in(tmp_path):
    assert free_host_bytes(tmp_path) > 0


@pytest.mark.parametrize(
    ("own", "parent", "left"),
    [
        ({"most": 4 * GIB, "used": GIB}, {"most": "max", "used": GIB}, 3 * GIB),
        ({"most": "max", "used": GIB}, {"most": 4 * GIB, "used": 3 * GIB}, GIB),
        ({"most": 4 * GIB, "used": 4 * GIB, "cached": 3 * GIB}, {"most": "max"}, 3 * GIB),
        ({"most": 4 * GIB, "high": 2 * GIB, "used": GIB}, {"most": "max"}, GIB),
        ({"most": 64 * GIB}, {"most": 64 * GIB}, 16 * GIB),
        ({"most": GIB, "used": 2 * GIB}, {"most": "max"}, 0),
    ],
)
def test_version_2(kernel, own, parent, left):
    kernel.mounts(mount(kernel, "cg", "cgroup2", "nsdelegate"))
    kernel.groups("0::/pods/one")
    v2(kernel, "cg/pods/one", **own)
    v2(kernel, "cg/pods", **parent)
    kernel.group("cg")  # the topmost has no limits
    assert free_host_bytes(kernel.proc) == left


def test_version_1_beside_an_empty_version_2(kernel):
    kernel.mounts(
        mount(kernel, "cpu", "cgroup", "cpu"),
        mount(kernel, "memory", "cgroup", "memory"),
        mount(kernel, "unified", "cgroup2", "nsdelegate"),
        f"1 1 0:1 / {kernel.proc} rw - tmpfs tmpfs rw",
    )
    kernel.groups("4:memory:/docker/1f", "1:cpu,cpuacct:/", "0::/")
    v1(kernel, "memory/docker/1f", most=2**63 - 4096, used=GIB)
    v1(kernel, "memory/docker", most=6 * GIB, used=5 * GIB, cached=2 * GIB)
    v1(kernel, "memory", most=2**63 - 4096, used=9 * GIB)
    assert free_host_bytes(kernel.proc) == 3 * GIB


@pytest.mark.parametrize(("root", "path"), [("/docker/1f", "/docker/1f"), ("/", "/elsewhere"), ("/../..", "/x")])
def test_a_container_sees_its_own_group_as_the_topmost(kernel, root, path):
    kernel.mounts(mount(kernel, "memory", "cgroup", "memory", root))
    kernel.groups(f"4:memory:{path}")
    v1(kernel, "memory", most=2 * GIB, used=GIB)
    assert free_host_bytes(kernel.proc) == GIB


def test_here_it_is_less_than_all_and_more_than_nothing():
    assert 0 < free_host_bytes() < 2**60


@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_limits_of_the_process_count(limit):
    if resource.getrlimit(getattr(resource, limit))[1] != resource.RLIM_INFINITY:
        pytest.skip("the limit is set here")
    most = 2**36
    program = (
        f"import resource; resource.setrlimit(resource.{limit}, ({most}, {most}))\n"
        "from gan.device.memory import PROC, _of_limits; print(*_of_limits(PROC))"
    )
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    (left,) = map(int, out.split())
    assert most - 2**34 < left < most
