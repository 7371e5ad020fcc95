"""The rows of each pass: a permutation of its own, the same wherever and in whatever order it is asked for."""

import threading

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.keyed_random import epoch_order
from gan.training import orders as module
from gan.training.orders import EpochOrders

CPU = torch.device("cpu")


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.lists(st.tuples(st.integers(0, 90), st.integers(0, 50)), min_size=1, max_size=8))
def test_any_stretch_is_that_of_the_permutations_one_after_the_other(size, spans):
    whole = torch.cat([epoch_order(4, epoch, size) for epoch in range(140 // size + 2)])
    orders = EpochOrders(4, size, CPU)
    for start, count in spans:
        for of in (orders.on_host, orders.on_device):
            assert torch.equal(of(start, start + count), whole[start : start + count])
    orders.close()


def test_the_next_pass_is_made_while_this_one_is_used(monkeypatch):
    made = {}

    def order(seed, epoch, size):
        made[epoch] = threading.current_thread()
        return epoch_order(seed, epoch, size)

    monkeypatch.setattr(module, "epoch_order", order)
    orders = EpochOrders(0, 10, CPU)
    orders.on_device(0, 4)
    orders._orders[1].result(timeout=60)  # closing gives up what is not begun
    orders.close()
    assert set(made) == {0, 1}
    assert threading.main_thread() not in made.values()


def test_passes_that_are_over_are_forgotten():
    orders = EpochOrders(0, 10, CPU)
    for epoch in range(30):
        orders.on_host(10 * epoch, 10 * epoch + 10)
    assert len(orders._orders) <= 4
    orders.close()
