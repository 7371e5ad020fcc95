"""How a cluster is shared out; actors at work are in the integration tests."""

import pytest

from tasks.generate.on_ray import Share, shared_out


@pytest.mark.parametrize(
    ("nodes", "workers", "share"),
    [
        ([{"CPU": 2.0}], None, Share(1, 2, 0)),
        ([{"CPU": 2.0}], 2, Share(2, 1, 0)),
        ([{"CPU": 2.0}], 5, Share(2, 1, 0)),
        ([{"CPU": 8.0}, {"CPU": 8.0}], None, Share(2, 8, 0)),
        ([{"CPU": 1.0}, {"CPU": 7.0}], 2, Share(2, 3, 0)),
        ([{"CPU": 16.0}, {"CPU": 1.0}], None, Share(2, 8, 0)),
        ([{}, {"CPU": 4.0}], None, Share(1, 4, 0)),
        ([{}], None, Share(1, 1, 0)),
        ([{"CPU": 16.0, "GPU": 2.0}], None, Share(2, 8, 1)),
        ([{"CPU": 16.0, "GPU": 2.0}], 1, Share(1, 8, 1)),
        ([{"CPU": 2.0, "GPU": 4.0}], 9, Share(4, 1, 1)),
    ],
)
def test_every_actor_has_room(nodes, workers, share):
    assert shared_out(nodes, workers) == share
