"""From the dataset's pixels to the feature network's 299x299, in the three ways that papers use."""

import torch
from torch import Tensor, nn

from gan.configuration.vocabulary import Resize
from gan.metrics.inception import INPUT_SIZE


def resize_images(images: Tensor, mode: Resize, size: int = INPUT_SIZE) -> Tensor:
    """Resize to the feature network's input, on the device that the images are on.

    Modes: `tf1` is FID's own, bilinear without antialiasing as TensorFlow 1 did it; `clean` is bicubic with
    antialiasing as Pillow does it; `torch` is PyTorch's bilinear, without antialiasing. They give different scores.

    Args:
        images: [N, H, W, C] uint8, C = 1 (repeated to 3) or 3.
        mode: `tf1`, `clean` or `torch`.
        size: side of the result in pixels.

    Returns:
        [N, 3, size, size] float32 in [0, 255], not rounded.

    Raises:
        ValueError: the images have another shape or dtype.

    Reference: Heusel et al. 2017 (tf1); Parmar et al., On Aliased Resizing and Surprising Subtleties in GAN
    Evaluation, 2022 (clean).
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(f"images are {tuple(images.shape)} {images.dtype}, expected [N, H, W, 1 or 3] torch.uint8")
    pixels = images.permute(0, 3, 1, 2)
    if mode == "clean":
        # imported here, so that a machine without Pillow can do the other two
        from gan.metrics.resize_clean import resize_clean

        resized = resize_clean(pixels, size)
    elif mode == "tf1":
        return _resize_tf1(images, size)
    else:
        # three planes before, not after, so that grey and its RGB copy take the same kernel and come out equal
        planes = pixels.float().expand(-1, 3, -1, -1).contiguous()
        resized = nn.functional.interpolate(planes, (size, size), mode="bilinear", align_corners=False)
    return resized.expand(-1, 3, -1, -1)


def _resize_tf1(images: Tensor, size: int) -> Tensor:
    columns, rows = (_sources_tf1(length, size, images.device) for length in (images.shape[2], images.shape[1]))
    # channels last, as they come and as the network wants them
    resized = torch.empty(len(images), size, size, 3, dtype=torch.float32, device=images.device)
    # a CPU's caches hold one image
    block = 1 if images.device.type == "cpu" else max(1, len(images))
    for part, place in zip(torch.split(images, block), torch.split(resized, block), strict=True):
        # columns before rows, as TensorFlow's kernel orders them: the result is then equal in every bit
        place.copy_(_lerp(_lerp(part.float(), 2, *columns), 1, *rows))
    return resized.permute(0, 3, 1, 2)


def _sources_tf1(length: int, size: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    # source = target * scale: corners coincide at the top left only, no half-pixel centres
    scale = torch.tensor(length / size, dtype=torch.float32, device=device)
    source = torch.arange(size, dtype=torch.float32, device=device) * scale
    low = source.long()
    return low, (low + 1).clamp_max(length - 1), source - low


def _lerp(pixels: Tensor, dim: int, low: Tensor, high: Tensor, weight: Tensor) -> Tensor:
    below = pixels.index_select(dim, low)
    return pixels.index_select(dim, high).sub_(below).mul_(weight.view(-1, *[1] * (3 - dim))).add_(below)
