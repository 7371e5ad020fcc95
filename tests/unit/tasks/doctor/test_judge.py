"""What a node is against what a training needs: each limit from both sides."""

import pytest

from tasks.doctor import judge

FACTS = {
    "host": "a",
    "python": "3.11.7",
    "ganflow": "0.1.0",
    "torch": "2.13.0",
    "ray": "2.60.0",
    "code": "0123abcd",
    "lacks": None,
    "processor": "EPYC",
    "cores": 8,
    "niceness": 0,
    "bf16": True,
    "memory_bytes": 8 * judge.GIB,
    "disks": {"/cache": 20 * judge.GIB, "/tmp": 20 * judge.GIB},
    "gpus": [],
    "torch_cuda": None,
}
GPU = "NVIDIA H200, 580.95.05, 143771 MiB"


def state(check):
    return check.ok, bool(check.remedy)


def test_the_same_versions_are_well():
    check = judge.versions("n", {**FACTS, "python": "3.11.9"}, FACTS)
    assert state(check) == (True, False)
    assert check.value == "ganflow 0.1.0 (0123abcd), Python 3.11.9, torch 2.13.0, Ray 2.60.0"


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        ({"torch": "2.12.0"}, "torch 2.13.0"),
        ({"ray": None}, "ray 2.60.0"),
        ({"ganflow": None, "code": None}, "ganflow 0.1.0"),
        ({"python": "3.12.1"}, "Python 3.11"),
        ({"code": "ffffffff"}, "0123abcd"),
        ({"lacks": "pydantic"}, "the Python package that has pydantic"),
    ],
)
def test_another_version_is_named_with_the_one_that_is_wanted(other, wanted):
    check = judge.versions("n", FACTS | other, FACTS)
    assert check.ok is False
    assert wanted in check.remedy


@pytest.mark.parametrize(
    ("other", "well"), [({}, True), ({"code": "ffffffff"}, False), ({"torch": None}, False), ({"lacks": "PIL"}, False)]
)
def test_where_the_driver_ships_its_code_ganflow_need_not_be_installed(other, well):
    assert judge.versions("n", FACTS | {"ganflow": None} | other, FACTS, shipped=True).ok is well


@pytest.mark.parametrize(
    ("offset", "bound", "warns"), [(4.9, 0, False), (-5.1, 0, True), (5.1, 0.2, False), (60, 1, True)]
)
def test_a_clock_is_wrong_only_beyond_what_the_way_there_leaves_open(offset, bound, warns):
    assert state(judge.clock("n", offset, bound)) == (True, warns)


def test_a_clock_is_said_with_its_bound():
    assert judge.clock("n", -0.25, 0.002).value == "-250 ms ± 2 ms"


@pytest.mark.parametrize(
    ("gib", "expected"), [(0.9, (False, True)), (1, (True, True)), (9.9, (True, True)), (10, (True, False))]
)
def test_room_on_a_disk(gib, expected):
    (check,) = judge.disks("n", {"disks": {"/cache": int(gib * judge.GIB)}})
    assert state(check) == expected
    assert check.value.endswith("free for /cache")


@pytest.mark.parametrize(("gib", "expected"), [(0.9, (False, True)), (3.9, (True, True)), (4, (True, False))])
def test_free_memory(gib, expected):
    assert state(judge.memory("n", {"memory_bytes": int(gib * judge.GIB)})) == expected


@pytest.mark.parametrize(("niceness", "warns"), [(-5, False), (0, False), (1, True), (15, True)])
def test_workers_that_give_way_are_warned_of(niceness, warns):
    assert state(judge.processor("n", {**FACTS, "niceness": niceness})) == (True, warns)


def test_what_cannot_be_measured_is_no_fault():
    assert judge.memory("n", {"memory_bytes": None}).ok is None


@pytest.mark.parametrize(
    ("gpus", "cuda", "given", "expected"),
    [
        ([], None, 0, (True, False)),
        ([], None, None, (True, False)),
        ([GPU], "13.0", 1, (True, False)),
        ([GPU], "13.0", None, (True, False)),
        ([GPU, GPU], "13.0", 1, (True, True)),  # one is left idle
        ([GPU], None, 1, (False, True)),  # Ray gives out what PyTorch cannot use
        ([GPU], None, 0, (True, True)),
        ([], "13.0", 1, (False, True)),  # no driver
    ],
)
def test_gpus_by_driver_by_pytorch_and_by_ray(gpus, cuda, given, expected):
    assert state(judge.gpus("n", {**FACTS, "gpus": gpus, "torch_cuda": cuda}, given)) == expected


@pytest.mark.parametrize(
    ("named", "several", "words"),
    [(False, True, "s3://"), (True, True, "mount it there"), (False, False, "correct GANFLOW_STORAGE")],
)
def test_a_storage_that_a_node_does_not_reach(named, several, words):
    check = judge.storage("n", "No such file", "/runs", named=named, several=several)
    assert check.ok is False
    assert words in check.remedy
    assert "No such file" in check.value


def test_a_sum_is_said_as_what_each_node_sends():
    check = judge.all_reduce(4, 2**24, 0.5, 0.001)
    # 2 · 3/4 · 67.1 MB in half a second
    assert check.value == "67 MB over 4 nodes in 500 ms, 201 MB/s of each; one number in 1.0 ms"
    assert state(check) == (True, False)


def test_a_slow_network_is_warned_of():
    assert state(judge.all_reduce(2, 2**24, 0.7, 0.001)) == (True, True)


@pytest.mark.parametrize(("asks", "expected"), [(True, (True, False)), (False, (True, True)), (None, (None, False))])
def test_a_cluster_without_a_token_is_warned_of(asks, expected):
    assert state(judge.token(asks)) == expected


def test_nodes_are_counted_with_those_that_were_lost():
    assert judge.alive(["a", "b"], 1, 16.0, 2.0).value == "2 with 16 CPUs and 2 GPUs; 1 lost since its head was started"
    assert judge.alive(["a"], 0, 1.0, 0.0).value == "1 with 1 CPUs and 0 GPUs"
