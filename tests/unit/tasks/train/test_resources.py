"""Workers have equal shares of a cluster, or there are too many of them."""

import pytest

from gan.errors import InputError, ResourcesError
from tasks.train.resources import WorkerRange, elastic_resources, room_for, worker_resources


@pytest.mark.parametrize(
    ("nodes", "workers", "share"),
    [
        ([{"CPU": 2.0}], 1, {"CPU": 2, "GPU": 0}),
        ([{"CPU": 2.0}], 2, {"CPU": 1, "GPU": 0}),
        ([{"CPU": 7.0}], 2, {"CPU": 3, "GPU": 0}),
        ([{"CPU": 16.0, "GPU": 1.0}], 1, {"CPU": 16, "GPU": 1}),
        ([{"CPU": 16.0, "GPU": 4.0, "memory": 1e9}], 3, {"CPU": 5, "GPU": 1}),
        ([{"CPU": 4.0}] * 3, 1, {"CPU": 4, "GPU": 0}),
        ([{"CPU": 4.0}] * 3, 4, {"CPU": 2, "GPU": 0}),
        ([{"CPU": 8.0, "GPU": 1.0}, {"CPU": 2.0, "GPU": 1.0}, {"CPU": 64.0}], 2, {"CPU": 2, "GPU": 1}),
    ],
)
def test_shares_are_even_and_whole(nodes, workers, share):
    assert worker_resources(nodes, workers) == share


@pytest.mark.parametrize(
    ("nodes", "workers", "sentence"),
    [
        ([{"CPU": 2.0}], 3, "3 workers were asked for but the Ray cluster has 2 CPUs: lower --workers or add nodes"),
        ([{}], 1, "1 workers were asked for but the Ray cluster has 0 CPUs"),
        ([{"CPU": 8.0}, {"GPU": 2.0}], 2, "no node of the Ray cluster has a CPU beside each GPU"),
        ([{"CPU": 8.0, "GPU": 2.0}], 3, "3 workers were asked for but the Ray cluster has 2 GPUs: lower --workers"),
    ],
)
def test_a_cluster_that_is_too_small_is_refused_with_both_numbers(nodes, workers, sentence):
    with pytest.raises(ResourcesError, match=sentence):
        worker_resources(nodes, workers)


@pytest.mark.parametrize(
    ("written", "wanted"), [(1, (1, 1)), ("1", (1, 1)), ("4", (4, 4)), ("2:4", (2, 4)), ("3:3", (3, 3))]
)
def test_a_number_or_a_range_is_read(written, wanted):
    found = WorkerRange.parse(written)
    assert (found.fewest, found.most) == wanted
    assert WorkerRange.parse(str(found)) == found


@pytest.mark.parametrize(
    "written", [0, "0", "-1", "", "x", "1:", ":2", "4:2", "1:2:3", "0:2", "1 ", "1e3", "999999", 1.5]
)
def test_anything_else_is_refused(written):
    with pytest.raises(InputError, match="give 1 or more, as in 4, or a range, as in 2:4"):
        WorkerRange.parse(written)


@pytest.mark.parametrize(
    ("nodes", "workers", "share", "room"),
    [
        ([{"CPU": 4.0}] * 2, "1:4", {"CPU": 2, "GPU": 0}, 4),
        ([{"CPU": 1.0}], "1:2", {"CPU": 1, "GPU": 0}, 1),
        ([{"CPU": 8.0, "GPU": 2.0}], "2:8", {"CPU": 4, "GPU": 1}, 2),
    ],
)
def test_an_elastic_training_takes_what_there_is_room_for(nodes, workers, share, room):
    assert elastic_resources(nodes, WorkerRange.parse(workers)) == share
    assert room_for(nodes, share) == room


def test_no_room_for_the_fewest_is_refused():
    with pytest.raises(ResourcesError, match="2 workers were asked for but the Ray cluster has 1 CPUs"):
        elastic_resources([{"CPU": 1.0}], WorkerRange.parse("2:4"))


@pytest.mark.parametrize(("cpus", "share"), [(None, 4), (3, 3), (9, 4)])
def test_a_worker_is_held_to_as_many_cpus_as_it_is_to_have(cpus, share):
    assert elastic_resources([{"CPU": 8}], WorkerRange(2, 2, cpus)) == {"CPU": share, "GPU": 0}
    assert elastic_resources([{"CPU": 8}], WorkerRange(1, 2, cpus)) == {"CPU": share, "GPU": 0}
