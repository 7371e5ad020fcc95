"""Batching around the network, with a network that only averages pixels."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gan.configuration.vocabulary import Precision
from gan.errors import DatasetError, ResourcesError
from gan.metrics import network as networks
from gan.metrics.features import FeatureExtractor, require_precision
from gan.metrics.network import FeatureNetwork, inception


class MeanNetwork(nn.Module):
    """Stands for Inception: the mean of the scaled pixels, 2,048 times; remembers its batches."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, 3, 299, 299] to [N, 2048]."""
        self.batches.append(x)
        return x.float().mean(dim=(1, 2, 3))[:, None].expand(-1, 2048)


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> MeanNetwork:
    """The network that extractors of this test load."""
    stand_in = MeanNetwork()
    monkeypatch.setattr(networks, "load_inception", lambda *_args, **_kwargs: stand_in)
    return stand_in


def images(*levels: int) -> np.ndarray:
    """One flat grey image per level."""
    return np.array(levels, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), dtype=np.uint8)


def test_batches_are_regrouped_in_order(network: MeanNetwork) -> None:
    """Batches of 5, 0, 1 and 2 become 3, 3 and 2, and each image keeps its place."""
    seen: list[int] = []
    extractor = FeatureExtractor(inception(Path("unused"), precision="fp32"), resize="tf1", batch_size=3)
    parts = [images(0, 1, 2, 3, 4), images(), images(5), images(6, 7)]
    found = extractor.extract(parts, on_progress=seen.append)
    assert sorted(len(batch) for batch in network.batches) == [2, 3, 3]
    assert seen == [3, 6, 8]
    assert found.shape == (8, 2048)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 0], (np.arange(8) - 128) / 128, rtol=1e-6)


def test_precision_and_layout(network: MeanNetwork) -> None:
    """Pixels reach the network unrounded, in channels_last; what comes back is float32."""
    extractor = FeatureExtractor(inception(Path("unused"), precision="bf16"), resize="torch", batch_size=2)
    found = extractor.extract([images(0, 255)])
    assert network.batches[0].dtype == torch.float32
    assert network.batches[0].is_contiguous(memory_format=torch.channels_last)
    assert found[:, 0].tolist() == [-1.0, pytest.approx(127 / 128, rel=1e-6)]


def test_total_stops_reading(network: MeanNetwork) -> None:
    """Exactly `total` images are taken, and no batch is asked for after that."""

    def batches() -> Iterator[np.ndarray]:
        yield images(0, 1, 2)
        yield images(3, 4, 5)
        pytest.fail("read on")

    extractor = FeatureExtractor(inception(Path("unused"), precision="fp32"), resize="tf1", batch_size=4)
    assert len(extractor.extract(batches(), total=5)) == 5


@pytest.mark.parametrize(("parts", "total"), [([images(1, 2)], 3), ([], None), ([images()], 1)])
def test_too_few_images(network: MeanNetwork, parts: list[np.ndarray], total: int | None) -> None:
    """Fewer images than asked for is an error, not a smaller protocol."""
    extractor = FeatureExtractor(inception(Path("unused"), precision="fp32"), resize="tf1", batch_size=2)
    with pytest.raises(DatasetError, match=r"only [02] images came"):
        extractor.extract(parts, total=total)


def test_read_only_memory_is_accepted(network: MeanNetwork) -> None:
    """A memory-mapped dataset cannot be written to, and needs not."""
    part = images(1, 2)
    part.setflags(write=False)
    extractor = FeatureExtractor(inception(Path("unused"), precision="fp32"), resize="clean", batch_size=2)
    assert len(extractor.extract([part])) == 2


def test_tensor_float_32_is_off_inside_alone(network: MeanNetwork) -> None:
    """A training that allows TensorFloat-32 changes no features, and finds its setting as it was."""
    seen: list[str] = []
    network.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.conv.fp32_precision))
    before = torch.backends.cudnn.conv.fp32_precision
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    try:
        FeatureExtractor(inception(Path("unused"), precision="fp32"), resize="tf1").extract([images(1)])
        assert torch.backends.cudnn.conv.fp32_precision == "tf32"
    finally:
        torch.backends.cudnn.conv.fp32_precision = before
    assert seen == ["ieee"]


def drawing(precision: Precision, run: Callable[[Tensor], Tensor]) -> FeatureExtractor:
    """An extractor whose network is a function."""
    return FeatureExtractor(FeatureNetwork("f", "0", precision, torch.device("cpu"), 8, run), resize="torch")


def test_a_precision_that_is_far_off_is_refused() -> None:
    """The sentence says how far, and what to do; a small deviation is returned; NaN is far off too."""
    full = drawing("fp32", lambda x: x.mean(dim=(2, 3)))
    assert require_precision(drawing("bf16", lambda x: 1.02 * x.mean(dim=(2, 3))), full, images(5, 9)) == (
        pytest.approx(0.02)
    )
    for wrong in (2.0, float("nan")):
        with pytest.raises(ResourcesError, match=r"in bf16 this machine's cpu .* evaluation.precision=fp32"):
            require_precision(drawing("bf16", lambda x, wrong=wrong: wrong * x.mean(dim=(2, 3))), full, images(5, 9))


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_each_thread_passes_batches_of_its_own_and_their_order_stays(three_threads: None) -> None:
    """Three are passed at once, the first takes longest; every thread computes alone; all is as before in the end."""
    threads: set[tuple[int, int]] = set()
    together = threading.Barrier(3, timeout=30)

    def run(x: Tensor) -> Tensor:
        threads.add((threading.get_ident(), torch.get_num_threads()))
        if x.max() < 6:
            together.wait()
        if x.min() == 0:
            time.sleep(0.2)
        return x.mean(dim=(2, 3))

    extractor = drawing("fp32", run)
    extractor.batch_size = 2
    found = extractor.extract([images(*range(31))])
    assert found[:, 0].tolist() == list(range(31))
    assert len(threads) == 3
    assert {count for _, count in threads} == {1}
    assert threading.get_ident() not in {ident for ident, _ in threads}
    assert torch.get_num_threads() == 3


def test_what_a_thread_raises_comes_through_and_nothing_is_read_any_more(three_threads: None) -> None:
    read: list[int] = []

    def batches() -> Iterator[np.ndarray]:
        for value in range(100):
            read.append(value)
            yield images(value)

    def run(x: Tensor) -> Tensor:
        raise ResourcesError("no memory here")

    extractor = drawing("fp32", run)
    extractor.batch_size = 1
    with pytest.raises(ResourcesError, match="no memory here"):
        extractor.extract(batches())
    assert len(read) < 10
    assert torch.get_num_threads() == 3


def test_a_batch_of_its_own_for_each_device() -> None:
    """Eight images on a CPU, unless the configuration says otherwise."""
    assert drawing("fp32", lambda x: x).batch_size == 8
