"""Workers have equal shares of a cluster, or there are too many of them."""

import pytest

from gan.errors import ResourcesError
from tasks.train.resources import worker_resources


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
