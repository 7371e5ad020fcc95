"""The products that a GPU takes give Pillow's images."""

import pytest
import torch

from gan.metrics.resize_clean import by_pillow, by_products, resize_clean, weights


@pytest.mark.parametrize("size", [8, 29, 299])
@pytest.mark.parametrize("shape", [(32, 32), (28, 28), (16, 16), (64, 48), (300, 401), (1, 5)])
def test_products_are_pillows_images_but_for_rounding(shape, size):
    torch.manual_seed(0)
    pixels = torch.randint(256, (2, 3, *shape), dtype=torch.uint8)
    torch.testing.assert_close(by_products(pixels, size), by_pillow(pixels, size), rtol=0, atol=1e-4)


def test_what_overshoots_is_cut():
    edge = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    edge[..., 4:] = 255
    assert by_pillow(edge, 64).min() < -1.0
    found = resize_clean(edge, 64)
    assert (found.min(), found.max()) == (0.0, 255.0)


@pytest.mark.parametrize(("before", "after"), [(32, 299), (299, 32), (5, 5), (1, 7), (400, 3)])
def test_the_weights_of_a_pixel_sum_to_one(before, after):
    found = torch.from_numpy(weights(before, after))
    assert found.shape == (after, before)
    torch.testing.assert_close(found.sum(1), torch.ones(after, dtype=torch.float64))
