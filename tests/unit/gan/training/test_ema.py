"""The moving average in closed form."""

import torch
from torch import nn

from gan.training.ema import update_ema


def test_parameters_move_and_buffers_are_copied():
    G_ema, G = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    for module, value in ((G_ema, 1.0), (G, 3.0)):
        nn.init.constant_(module.weight, value)
        nn.init.constant_(module.bias, -value)
        module.running_mean.fill_(value)
    update_ema(G_ema, G, 0.75)
    assert G_ema.weight.tolist() == [1.5, 1.5]
    assert G_ema.bias.tolist() == [-1.5, -1.5]
    assert G_ema.running_mean.tolist() == [3.0, 3.0]
    assert G.weight.tolist() == [3.0, 3.0]
    assert G_ema.weight.grad_fn is None


def test_after_n_steps_the_start_has_decayed_n_times():
    G_ema, G = nn.Linear(3, 1), nn.Linear(3, 1)
    start = G_ema.weight.detach().clone()
    for _ in range(20):
        update_ema(G_ema, G, 0.9)
    torch.testing.assert_close(G_ema.weight, 0.9**20 * start + (1 - 0.9**20) * G.weight)


def test_the_ends():
    G_ema, G = nn.Linear(3, 1), nn.Linear(3, 1)
    start = G_ema.weight.detach().clone()
    update_ema(G_ema, G, 1.0)
    assert torch.equal(G_ema.weight, start)
    update_ema(G_ema, G, 0.0)
    assert torch.equal(G_ema.weight, G.weight)
