"""Bytes of tensors: counted once, and until nobody has them."""

import torch

from gan.device.live_bytes import LiveBytes


def test_bytes_are_counted_once_and_until_nobody_has_them():
    with LiveBytes() as live:
        kept = torch.zeros(1000)
        view = kept.view(10, 100)
        for _ in range(3):
            (kept + 1).sum()
        assert live.now == 4000
        assert 8000 <= live.most <= 8008
        del kept
        assert live.now == 4000
        del view
        assert live.now == 0
        live.restart()
        assert live.most == 0


def test_what_autograd_keeps_is_counted():
    weight = torch.ones(1000, requires_grad=True)
    with LiveBytes() as live:
        y = weight.exp().sum()
        assert live.now == 4004
        y.backward()
        assert live.now == 4004 + 4000 - 4000  # the gradient, and no longer what exp had kept
        del y
