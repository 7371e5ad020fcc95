"""Score a program that maps (seed, label) to images against a split of a dataset."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gan.config import EvaluationConfig
from gan.data.resident import Resident, load_resident
from gan.errors import DatasetError
from gan.keyed_random import epoch_order
from gan.metrics.evaluation import Evaluation, evaluate_features
from gan.metrics.features import FeatureExtractor
from gan.metrics.protocol import METRICS_VERSION, Protocol

Program = Callable[[Tensor], Tensor]
OnProgress = Callable[[int, str], None]
GENERATE_BATCH = 256


def reference_rows(config: EvaluationConfig, size: int) -> npt.NDArray[np.int64]:
    """The rows [n] of the split that serve as reference: all, or a keyed choice of `num_images`."""
    order = epoch_order(config.seed, 0, size).numpy()
    return np.sort(order[: config.num_images])


def paired_labels(labels: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Labels [count] for generated images with the reference's shares of classes."""
    return np.resize(labels, count)


def draw(
    program: Program, seeds: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], batch_size: int = GENERATE_BATCH
) -> Iterator[npt.NDArray[np.uint8]]:
    """Generate in batches.

    Args:
        program: maps [n, 2] int64 to [n, H, W, C] uint8.
        seeds: [N] int64.
        labels: [N] int64.
        batch_size: n of all batches but the last.

    Yields:
        [n, H, W, C] uint8 in the order of the seeds.
    """
    rows = torch.from_numpy(np.stack([seeds, labels], axis=1))
    with torch.no_grad():
        for part in torch.split(rows, batch_size):
            yield program(part).cpu().numpy()


class Evaluator:
    """Evaluates programs under one protocol; the real side is computed once and cached.

    Args:
        config: what protocol is asked for.
        data_dir: the dataset folder.
        dataset_md5: its version.
        weights: the Inception weights, from `gan.metrics.weights.find_inception_weights`.
        cache_dir: where decoded datasets and features are kept.
        device: where the network runs.
        on_progress: called with (images done, what is being done).
    """

    def __init__(
        self,
        config: EvaluationConfig,
        *,
        data_dir: Path,
        dataset_md5: str,
        weights: Path,
        cache_dir: Path,
        device: torch.device,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.config = config
        self.dataset_md5 = dataset_md5
        self.cache_dir = cache_dir
        self.on_progress = on_progress or (lambda done, what: None)
        self.data: Resident = load_resident(
            data_dir, config.reference_split, cache_dir=cache_dir / "resident", md5=dataset_md5
        )
        self.extractor = FeatureExtractor(
            weights, resize=config.resize, precision=config.precision, device=device, batch_size=config.batch_size
        )
        self.rows = reference_rows(config, len(self.data.labels))
        if len(self.rows) < 4:
            raise DatasetError(
                f"the split {config.reference_split} has {len(self.rows)} images but an evaluation needs 4: add images"
            )
        self.done = 0

    @property
    def images_to_pass(self) -> int:
        """Images that the network sees for one program: the generated, and the real ones if they are not cached."""
        return self.config.num_images + (0 if self._cached().exists() else len(self.rows))

    def evaluate(self, program: Program) -> Evaluation:
        """Return FID and KID of `config.num_images` images of a program, with the protocol they hold under."""
        reference = self._reference()
        count = self.config.num_images
        seeds = np.arange(self.config.seed, self.config.seed + count, dtype=np.int64)
        labels = paired_labels(np.asarray(self.data.labels)[self.rows], count)
        generated = self._extract(draw(program, seeds, labels), count, "generated images")
        protocol = Protocol(
            num_generated=count,
            num_reference=len(self.rows),
            reference_split=self.config.reference_split,
            resize=self.config.resize,
            network=self.extractor.network,
            network_sha256=self.extractor.sha256,
            precision=self.config.precision,
            dataset_md5=self.dataset_md5,
            seed=self.config.seed,
        )
        return evaluate_features(generated, reference, protocol)

    def _extract(self, batches: Iterator[npt.NDArray[np.uint8]], total: int, what: str) -> npt.NDArray[np.float32]:
        before = self.done

        def count(done: int) -> None:
            self.done = before + done
            self.on_progress(self.done, what)

        return self.extractor.extract(batches, total, count)

    def _cached(self) -> Path:
        config = self.config
        facts = [config.reference_split, len(self.rows), config.resize, config.precision, config.seed, METRICS_VERSION]
        name = "-".join(str(fact) for fact in [*facts, self.extractor.sha256[:16]])
        return self.cache_dir / "features" / self.dataset_md5 / f"{name}.npy"

    def _reference(self) -> npt.NDArray[np.float32]:
        path = self._cached()
        if path.exists():
            cached: npt.NDArray[np.float32] = np.load(path, allow_pickle=False)
            return cached
        size = self.config.batch_size
        parts = (np.asarray(self.data.images[part]) for part in np.split(self.rows, range(size, len(self.rows), size)))
        features = self._extract(parts, len(self.rows), "real images")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{uuid.uuid4().hex}.npy")
        np.save(partial, features, allow_pickle=False)
        os.replace(partial, path)
        return features


def metrics_of(evaluation: Evaluation) -> dict[str, float]:
    """The plain numbers of an evaluation by key."""
    return {key: metric.value for key, metric in evaluation.metrics.items()}


def summary(evaluation: Evaluation) -> str:
    """One line for people, such as `fid1k 31.2, kid1k 0.0123 (0.0101 to 0.0145)`."""
    parts = []
    for key, metric in evaluation.metrics.items():
        interval = (
            f" ({metric.low:.4g} to {metric.high:.4g})" if metric.low is not None and metric.high is not None else ""
        )
        parts.append(f"{key} {metric.value:.4g}{interval}")
    return ", ".join(parts)
