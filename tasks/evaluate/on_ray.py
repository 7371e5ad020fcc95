"""Features on a Ray cluster: slices of images as Ray tasks, on whichever node has a core or a GPU free."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gan.configuration.config import EvaluationConfig
from gan.device.precision import native_bf16
from gan.evaluation.extraction import Images, OnProgress, Rows, keep_first
from gan.generation.sampling import Program, draw
from gan.metrics.feature_set import FeatureSet, collect
from gan.metrics.features import FeatureExtractor, default_batch_size
from tasks.evaluate.network import load_extractor
from tasks.runtime.ray_cluster import as_sentence, ray_cluster
from tasks.runtime.scratch import local_scratch
from tasks.runtime.settings import THREADS_WAIT, Settings

_AHEAD = 2  # slices handed out for each slot: enough to keep it busy, few enough to bound memory
_SLICES = 4  # for each slot at least, so that none waits long for the last
_MOST_IMAGES = 256  # in a slice, unless the batch is larger


@dataclass(frozen=True)
class NetworkPayload:
    """The feature network as a task is given it: a node fetches the file once, and need not see the driver's disk.

    Attributes:
        content: reference to the file's bytes as a uint8 array.
        name: of the file; scores are called after it if it is `own`.
        own: whether it is a TorchScript file instead of Inception.
        config: resize, precision and batch size.
    """

    content: Any
    name: str
    own: bool
    config: EvaluationConfig


class RayExtraction:
    """The pass on the cluster at RAY_ADDRESS: on its GPUs or, if there are none, on its cores.

    Images travel to the nodes and features come back in order. A slice is passed in the batches that one process
    would make, and all moments are taken here, so that the result is the same bits whatever the cluster.

    Args:
        extractor: network and resize as loaded here; says what the features are.
        settings: where the cluster is.
        config: resize, precision and batch size.
        weights: the network's file.
        own: whether it is a TorchScript file instead of Inception.
    """

    def __init__(
        self, extractor: FeatureExtractor, settings: Settings, config: EvaluationConfig, weights: Path, *, own: bool
    ) -> None:
        self.extractor = extractor
        self.settings = settings
        self.config = config
        self.weights = weights
        self.own = own

    def of_images(self, images: Images, rows: Rows, on_progress: OnProgress) -> FeatureSet:
        """As `Extraction.of_images`."""
        parts = (np.asarray(images[part]) for part in np.split(rows, range(_MOST_IMAGES, len(rows), _MOST_IMAGES)))
        return collect(self._pieces(parts, len(rows)), on_progress)

    def of_program(
        self, program: Program, seeds: Rows, labels: Rows, on_progress: OnProgress
    ) -> tuple[FeatureSet, Images]:
        """As `Extraction.of_program`; images are drawn here, which costs little beside their features."""
        kept: list[Images] = []
        batches = keep_first(draw(program, seeds, labels), kept)
        return collect(self._pieces(batches, len(seeds)), on_progress), np.concatenate(kept)

    def _pieces(self, batches: Iterable[Images], total: int) -> Iterator[np.ndarray]:
        with ray_cluster(self.settings) as nodes:
            import ray

            cpus, gpus = (int(sum(node.get(kind, 0) for node in nodes)) for kind in ("CPU", "GPU"))
            slots = max(1, gpus or cpus)
            batch = self.config.batch_size or default_batch_size("cuda" if gpus else "cpu")
            network = NetworkPayload(
                content=ray.put(np.fromfile(self.weights, np.uint8)),
                name=self.weights.name,
                own=self.own,
                config=self.config.model_copy(update={"batch_size": batch}),
            )
            remote = ray.remote(
                num_cpus=1,
                num_gpus=1 if gpus else 0,
                max_retries=3,
                runtime_env={"env_vars": THREADS_WAIT | ({} if gpus else {"CUDA_VISIBLE_DEVICES": ""})},
            )(features_of)
            running: deque[Any] = deque()
            for images in in_slices(batches, slice_size(total, slots, batch)):
                running.append(remote.remote(images, network))
                if len(running) == _AHEAD * slots:
                    yield _result(running.popleft())
            while running:
                yield _result(running.popleft())


def all_nodes_have_bf16(settings: Settings) -> bool:
    """Whether every node that would compute features has instructions for bf16: the GPUs', or the processors'."""
    with ray_cluster(settings):
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        kind = "GPU" if any(node["Resources"].get("GPU") for node in nodes) else "CPU"
        asked = [
            ray.remote(_has_bf16)
            .options(
                num_cpus=0,
                num_gpus=0.001 if kind == "GPU" else 0,  # enough to see the GPU
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
            )
            .remote("cuda" if kind == "GPU" else "cpu")
            for node in nodes
            if node["Resources"].get(kind)
        ]
        return all(_result(answer) for answer in asked)


def _has_bf16(device: str) -> bool:
    import torch

    return native_bf16(torch.device(device))


def slice_size(total: int, slots: int, batch: int) -> int:
    """Return images per task: whole batches, and enough tasks for every slot to have several."""
    return batch * max(1, min(total // (batch * slots * _SLICES), _MOST_IMAGES // batch))


def in_slices(batches: Iterable[Images], size: int) -> Iterator[Images]:
    """Cut batches of any size into slices of `size`; the last may be shorter."""
    rest: Images | None = None
    for batch in batches:
        rest = batch if rest is None else np.concatenate([rest, batch])
        while len(rest) >= size:
            yield rest[:size]
            rest = rest[size:]
    if rest is not None and len(rest):
        yield rest


def features_of(images: Images, network: NetworkPayload) -> np.ndarray:
    """Return the features [n, D] float32 of images [n, H, W, C] uint8; what a task does."""
    import torch

    torch.set_num_threads(1)  # a task has one core; on a GPU the threads only feed it
    return _open(network).extract([images])


@lru_cache(maxsize=1)
def _open(network: NetworkPayload) -> FeatureExtractor:
    """Load the network once in each process, and prove its precision on this very device."""
    import ray

    file = Path(network.name)  # as a sentence about it should call it, whatever the folder here
    with local_scratch("network") as folder, contextlib.chdir(folder):
        file.write_bytes(ray.get(network.content))
        return load_extractor(file, network.config, own=network.own)


def _result(reference: Any) -> Any:
    import ray
    from ray.exceptions import RayError

    try:
        return ray.get(reference)
    except RayError as error:
        raise as_sentence(error, "compute features") from None
