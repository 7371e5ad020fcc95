"""A small image classifier trained from pixels in seconds, the same for the same seed."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
OnProgress = Callable[[int, int], None]

_WIDTH, _MAX_WIDTH = 24, 192
_LAST_SIDE = 4  # stages halve the grid while it is larger than this
_LARGEST_GRID = 32  # the stem's stride brings larger images near it, so that 256 pixels cost little more than 32
_PREDICT_BATCH = 256


class _Stage(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(F.max_pool2d(x, 2))))


class _Network(nn.Module):
    # [N, C, H, W] float32 in [-1, 1] -> [N, num_classes]: a stem, stages of half the side and twice the width, a mean
    def __init__(self, side: int, channels: int, num_classes: int) -> None:
        super().__init__()
        stride = max(1, side // _LARGEST_GRID)
        kernel, padding = (3, 1) if stride == 1 else (2 * stride, stride // 2)
        self.stem = nn.Conv2d(channels, _WIDTH, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(_WIDTH)
        self.stages = nn.Sequential()
        width, side = _WIDTH, side // stride
        while side > _LAST_SIDE:
            wider = min(2 * width, _MAX_WIDTH)
            self.stages.append(_Stage(width, wider))
            width, side = wider, side // 2
        self.head = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.stages(F.relu(self.norm(self.stem(x))))
        logits: Tensor = self.head(features.mean((2, 3)))
        return logits


class Classifier:
    """A trained network; see `train_classifier`."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network = network
        self._device = device

    @torch.inference_mode()
    def predict(self, images: Images) -> Labels:
        """Return the likeliest class [N] int64 of images [N, H, W, C] uint8, shaped as in training."""
        batches = torch.split(_tensor(images), _PREDICT_BATCH)
        classes = [self._network(_scale(batch.to(self._device))).argmax(1).cpu() for batch in batches]
        result: Labels = torch.cat(classes).numpy()
        return result


def train_classifier(
    images: Images,
    labels: Labels,
    num_classes: int,
    *,
    steps: int = 600,
    batch_size: int = 64,
    mirror: bool = False,
    seed: int = 0,
    device: str | torch.device = "cpu",
    on_progress: OnProgress | None = None,
) -> Classifier:
    """Train on labelled images by SGD with Nesterov momentum under a one-cycle schedule.

    Every class is drawn equally often, whatever its share of the images: a rare class is repeated, which is the usual
    remedy, and two trainings with the same steps see each class equally often, so that only the images differ.
    Global random states are left alone. On one CPU with as many threads, equal arguments give the equal classifier.

    Args:
        images: [N, H, W, C] uint8, N from 1 up, H and W from 8 up (meant for up to 256), C = 1 or 3.
        labels: [N] int64 in [0, num_classes).
        num_classes: classes that can be predicted.
        steps: batches to train on.
        batch_size: images in a batch.
        mirror: mirror half of the images left to right; wrong for digits and letters.
        seed: of the initial weights, the order of the images and their shifts.
        device: where the network computes; all images are put there.
        on_progress: called after every step with (steps done, steps in all).

    Raises:
        ValueError: shapes, labels, steps or batch size are not as said above.

    Reference: Smith and Topin, Super-Convergence, 2018, for the schedule; Szegedy et al., Rethinking the Inception
    Architecture, 2016, section 7, for label smoothing.
    """
    _check(images, labels, num_classes)
    if steps < 1 or batch_size < 1:
        raise ValueError(f"steps = {steps} and batch_size = {batch_size}, but both must be at least 1")
    generator = torch.Generator().manual_seed(seed)
    network = _initial_network(images.shape, num_classes, generator)
    network = network.to(torch.device(device))
    # the schedule's peak follows the batch size, up to where larger steps no longer help
    peak = min(0.1 * batch_size / 64, 0.4)
    optimizer = torch.optim.SGD(network.parameters(), lr=peak, momentum=0.9, nesterov=True, weight_decay=5e-4)
    batches = _Batches(images, labels, steps * batch_size, mirror, generator, torch.device(device))
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = peak * _one_cycle((step + 0.5) / steps)
        x, y = batches.batch(step * batch_size, (step + 1) * batch_size)
        loss = F.cross_entropy(network(x), y, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if on_progress is not None:
            on_progress(step + 1, steps)
    return Classifier(network.eval(), torch.device(device))


def balanced_order(labels: Labels, count: int, generator: torch.Generator) -> Tensor:
    """Return rows [count] int64 in which every class that there is comes equally often, up to one.

    Classes take turns in permutations of all of them, and the images of a class in permutations of theirs, so that
    even a short stretch holds every class and no image comes again before its class has been gone through.
    """
    classes, places = np.unique(labels, return_inverse=True)
    turns = _permutations(len(classes), count, generator)
    order = torch.empty(count, dtype=torch.int64)
    for turn in range(len(classes)):
        rows = torch.from_numpy(np.flatnonzero(places == turn))
        here = torch.nonzero(turns == turn)[:, 0]
        order[here] = rows[_permutations(len(rows), len(here), generator)]
    return order


def _permutations(size: int, count: int, generator: torch.Generator) -> Tensor:
    passes = [torch.randperm(size, generator=generator) for _ in range(-(-count // size))]
    return torch.cat([*passes, torch.empty(0, dtype=torch.int64)])[:count]


class _Batches:
    # what is random is drawn at once and on the CPU: equal on every device, and a GPU never waits for it
    def __init__(
        self, images: Images, labels: Labels, count: int, mirror: bool, generator: torch.Generator, device: torch.device
    ) -> None:
        self.images, self.labels = _tensor(images).to(device), torch.tensor(labels).to(device)
        self.order = balanced_order(labels, count, generator).to(device)
        self.shifts_y, self.shifts_x = (
            torch.randint(-(side // 8), side // 8 + 1, (count, 1), generator=generator).to(device)
            for side in images.shape[1:3]
        )
        self.mirrored = torch.randint(2 if mirror else 1, (count, 1), generator=generator).bool().to(device)

    def batch(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Images [n, C, H, W] float32 in [-1, 1], shifted by up to an eighth with their edges repeated; labels [n]."""
        part = slice(start, stop)
        y = self._pixels(self.images.shape[1], self.shifts_y[part])
        x = self._pixels(self.images.shape[2], self.shifts_x[part])
        x = torch.where(self.mirrored[part], x.flip(1), x)
        rows = self.order[part]
        return _scale(self.images[rows[:, None, None], y[:, :, None], x[:, None, :]]), self.labels[rows]

    def _pixels(self, side: int, shifts: Tensor) -> Tensor:
        return (torch.arange(side, device=shifts.device) + shifts).clamp(0, side - 1)


def _initial_network(shape: tuple[int, ...], num_classes: int, generator: torch.Generator) -> _Network:
    # built without values, because the constructors of layers would draw from the global random state
    with torch.device("meta"):
        network = _Network(min(shape[1:3]), shape[3], num_classes)
    network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return network


def _one_cycle(part: float) -> float:
    # up over the first quarter, then down to nothing
    return min(part / 0.25, (1.0 - part) / 0.75)


def _tensor(images: Images) -> Tensor:
    # torch warns about memory that it may not write, such as a memory map opened to read
    return torch.from_numpy(np.require(images, requirements=["C", "W"]))


def _scale(images: Tensor) -> Tensor:
    # channels first in memory order of channels last: the permute costs nothing
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def _check(images: Images, labels: Labels, num_classes: int) -> None:
    if images.ndim != 4 or images.dtype != np.uint8 or min(images.shape[1:3]) < 8 or images.shape[3] not in (1, 3):
        raise ValueError(f"images are {images.shape} {images.dtype}, expected [N, H, W, C] uint8 with sides from 8 up")
    if labels.shape != images.shape[:1] or len(labels) == 0:
        raise ValueError(f"labels are {labels.shape} for images {images.shape}, expected one for each and at least one")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(f"labels are {labels.min()} to {labels.max()}, expected 0 to {num_classes - 1}")
