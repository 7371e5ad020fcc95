"""The three resize modes against hand-computed pixels."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.configuration.vocabulary import Resize
from gan.metrics.resize import resize_images

MODES: tuple[Resize, ...] = ("tf1", "clean", "torch")


def row(mode: Resize, *values: int, size: int) -> list[float]:
    """Resize an image whose rows are all the same, and return one row."""
    image = np.tile(np.array(values, dtype=np.uint8), (len(values), 1))[None, :, :, None]
    resized = resize_images(torch.from_numpy(image), mode, size)
    assert torch.allclose(resized, resized[:, :, :1], atol=1e-3)
    found: list[float] = resized[0, 0, 0].tolist()
    return found


def test_tf1_by_hand() -> None:
    """Sources 0, 1/2, 1, 3/2 of [0, 100]: the corner is kept at the left and repeated at the right."""
    assert row("tf1", 0, 100, size=4) == [0.0, 50.0, 100.0, 100.0]
    # down by 2 without antialiasing is every second pixel
    assert row("tf1", 10, 200, 30, 250, size=2) == [10.0, 30.0]


def test_torch_by_hand() -> None:
    """Sources -1/4, 1/4, 3/4, 5/4 of [0, 100]: pixel centres are at halves."""
    assert row("torch", 0, 100, size=4) == [0.0, 25.0, 75.0, 100.0]


def test_clean_averages_where_tf1_aliases() -> None:
    """A fine checkerboard becomes grey by antialiasing, and one colour without."""
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[None, :, :, None]
    clean = resize_images(torch.from_numpy(board), "clean", 32)[0, 0, 4:-4, 4:-4]
    assert torch.allclose(clean, torch.tensor(127.5), atol=1.0)
    assert set(resize_images(torch.from_numpy(board), "tf1", 32).unique().tolist()) == {0.0}


def test_clean_is_pillow_per_channel_clipped() -> None:
    """Float bicubic per channel, not rounded, overshoots cut to [0, 255]."""
    image = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    image[0, :, 4:, 1] = 255
    found = resize_images(torch.from_numpy(image), "clean", 29)[0, 1].numpy()
    raw = np.asarray(Image.fromarray(image[0, :, :, 1].astype(np.float32)).resize((29, 29), Image.Resampling.BICUBIC))
    assert raw.min() < 0.0
    assert raw.max() > 255.0
    np.testing.assert_array_equal(found, raw.clip(0.0, 255.0))


def reference_tf1(images: np.ndarray, size: int) -> np.ndarray:
    """TensorFlow 1's kernel, a pixel at a time: columns are interpolated in two rows, then the rows."""
    f32 = np.float32
    # [H, W, N, C]: one place of all images at once
    pixels = images.transpose(1, 2, 0, 3).astype(f32)
    height, width = pixels.shape[:2]
    out = np.empty((size, size, *pixels.shape[2:]), f32)
    for y in range(size):
        source_y = f32(y) * f32(height / size)
        top, bottom = int(source_y), min(int(source_y) + 1, height - 1)
        for x in range(size):
            source_x = f32(x) * f32(width / size)
            left, right, dx = int(source_x), min(int(source_x) + 1, width - 1), source_x - f32(int(source_x))
            upper = pixels[top, left] + (pixels[top, right] - pixels[top, left]) * dx
            lower = pixels[bottom, left] + (pixels[bottom, right] - pixels[bottom, left]) * dx
            out[y, x] = upper + (lower - upper) * (source_y - f32(int(source_y)))
    return out.transpose(2, 3, 0, 1)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 24), st.sampled_from([1, 3]), st.integers(0, 2**32 - 1))
def test_tf1_equals_the_kernel_bitwise(height: int, width: int, size: int, channels: int, seed: int) -> None:
    """Separable gathering gives the same bits as the kernel does pixel by pixel, in each image and channel."""
    images = np.random.default_rng(seed).integers(0, 256, (3, height, width, channels), dtype=np.uint8)
    found = resize_images(torch.from_numpy(images), "tf1", size).numpy()
    np.testing.assert_array_equal(found, np.broadcast_to(reference_tf1(images, size), found.shape))


@pytest.mark.parametrize("channels", [1, 3])
def test_tf1_comes_in_the_layout_of_the_network(channels: int) -> None:
    """Channels last, grey too: scaling and rounding then move no pixel to another place."""
    images = torch.zeros(2, 8, 8, channels, dtype=torch.uint8)
    assert resize_images(images, "tf1", 16).is_contiguous(memory_format=torch.channels_last)


def test_no_images() -> None:
    """An empty batch stays one."""
    assert resize_images(torch.zeros(0, 8, 8, 1, dtype=torch.uint8), "tf1", 16).shape == (0, 3, 16, 16)


@pytest.mark.parametrize("mode", MODES)
def test_grey_is_repeated_and_same_size_is_kept(mode: Resize) -> None:
    """A grey image equals its RGB copy; an image of the wanted size comes back as it was."""
    grey = torch.randint(0, 256, (2, 16, 16, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    resized = resize_images(grey, mode)
    assert resized.shape == (2, 3, 299, 299)
    assert resized.dtype == torch.float32
    assert torch.equal(resized, resize_images(grey.expand(-1, -1, -1, 3), mode))
    assert torch.equal(resize_images(grey, mode, 16)[:, :1], grey.permute(0, 3, 1, 2).float())


@pytest.mark.parametrize("images", [torch.zeros(1, 3, 8, 8, dtype=torch.uint8), torch.zeros(1, 8, 8, 3)])
def test_other_layouts_are_refused(images: torch.Tensor) -> None:
    """Channels first, or floats, are a mistake of the caller."""
    with pytest.raises(ValueError, match="expected"):
        resize_images(images, "tf1")
