"""The metrics beside training: Ray Train hands each checkpoint to an actor of low priority while the loop goes on."""

import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray

from gan.errors import GanflowError
from gan.text.shown import last_line_of
from gan.training.header import Header
from tasks.runtime.ray_cluster import this_node
from tasks.runtime.scratch import local_scratch
from tasks.runtime.settings import THREADS_WAIT, Settings
from tasks.train.channel import Scoring

if TYPE_CHECKING:  # the process that only waits for a score shall not load torch
    from ray.train import Checkpoint, ValidationConfig

    from gan.configuration.config import Config, EvaluationConfig
    from gan.evaluation.extraction import Extraction
    from gan.evaluation.real import RealFeatures
    from gan.evaluation.watch import Watched

# The KID of a checkpoint without one: worse than any, and finite, for Ray Train keeps it as JSON.
NOT_MEASURED = sys.float_info.max
MOST_THREADS = 8  # they yield to the loop, and have the processor to themselves when it has ended
TELL_SECONDS = 1.0
# Far beyond what one slow core needs: what has not come by then never will.
SECONDS, SECONDS_AN_IMAGE = 600.0, 4.0


@dataclass(frozen=True)
class ValidationPayload:
    """All that the scoring process is told.

    Attributes:
        header: what every checkpoint of this run carries.
        evaluation: section of the configuration, with a precision from `resolve_precision`.
        home: `GANFLOW_HOME` of the driver; None on another node, which has nothing of the driver's disk.
        weights: the feature network's file as the driver found it.
        ahead: whether what the evaluation will want of real images is made here, while nothing is to be scored.
        cache: the driver's, which the environment of Ray's processes need not name; None: as they find it.
        node: Ray's id of the driver's node.
        storage: where another node finds the dataset.
        content: reference to the bytes of `weights` as a uint8 array, where it may be another node that scores.
    """

    header: Header
    evaluation: dict[str, Any]
    home: str | None
    weights: str
    ahead: bool = False
    cache: str | None = None
    node: str = ""
    storage: str = ""
    content: Any = None


Score = Callable[[Path, Callable[[int, int], None]], "Watched"]
"""Maps a checkpoint's folder to its KID, of which lower is better, and the variety of its classes; it calls the second
argument with (images passed, images to pass)."""
OpenScore = Callable[[ValidationPayload], Score]


def open_kid(payload: ValidationPayload) -> Score:
    """Load the feature network, and return what scores a checkpoint's G_ema against the training images.

    Raises:
        GanflowError: network or dataset cannot be read here.
    """
    from gan.configuration.config import EvaluationConfig
    from gan.evaluation.ahead import Ahead
    from gan.evaluation.evaluator import wanted_features
    from gan.evaluation.watch import MOST_REFERENCE, SPLIT, Watch
    from gan.generation.sampling import on_device
    from tasks.tracking.registry import load_generator

    header, config = payload.header, EvaluationConfig.model_validate(payload.evaluation)
    features = _real_features(payload, config)
    real = features.real
    watch = Watch(
        features,
        config.watch_images,
        reference=config.most_reference(MOST_REFERENCE),
        conditional=header.num_classes > 0,
    )
    same_network = config.watch_features == "inception"
    later = wanted_features(config, real) if payload.ahead and same_network else []
    device = features.extraction.extractor.network.device
    ahead = Ahead(features, [(SPLIT, len(watch.real_labels)), *later])

    def score(checkpoint: Path, on_progress: Callable[[int, int], None]) -> "Watched":
        to_pass = watch.images_to_pass
        with ahead.paused(lambda done: on_progress(done, to_pass)):
            before = to_pass - watch.images_to_pass
            program = on_device(load_generator(checkpoint).to(device), device)
            return watch.score(program, lambda done: on_progress(before + done, to_pass))

    return score


def _real_features(payload: ValidationPayload, config: "EvaluationConfig") -> "RealFeatures":
    """Open network and dataset: in the driver's home or, on another node, from Ray and the storage."""
    from gan.evaluation.real import RealFeatures
    from tasks.dataset.on_node import node_version
    from tasks.evaluate.references import dataset_version, real_images

    md5, class_names = payload.header.dataset_md5, payload.header.class_names
    if payload.home is not None:  # whatever cluster there is, this is done here
        settings = Settings(
            ganflow_home=Path(payload.home),
            ganflow_cache=payload.cache and Path(payload.cache),
            ganflow_inception_weights=Path(payload.weights),
            ray_address=None,
        )
        real = dataset_version(settings, md5, class_names)
        return RealFeatures(real, _extraction(settings, config), settings.cache_dir, config.seed)
    host, cache = this_node(), Settings().node_cache_dir
    real = real_images(md5, class_names, lambda split: node_version(payload.storage, md5, split, host=host))
    with local_scratch("network") as folder:
        weights = folder / Path(payload.weights).name
        weights.write_bytes(ray.get(payload.content))
        settings = Settings(
            ganflow_home=folder, ganflow_cache=cache, ganflow_inception_weights=weights, ray_address=None
        )
        return RealFeatures(real, _extraction(settings, config), cache, config.seed)


def _extraction(settings: Settings, config: "EvaluationConfig") -> "Extraction":
    """Open the network that the run is watched by, or what takes its place."""
    if config.watch_features == "pixels":
        from gan.evaluation.extraction import LocalExtraction
        from gan.metrics.features import FeatureExtractor
        from gan.metrics.pixel_features import pixel_network
        from tasks.evaluate.network import device

        return LocalExtraction(FeatureExtractor(pixel_network(device()), resize="clean"))
    from tasks.evaluate.extraction import open_extraction

    return open_extraction(settings, config)


@ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=1)
class Validator:
    """Scores checkpoints in a process of its own, which takes what the loop leaves of the processor.

    Args:
        open_score: called once, before the first checkpoint.
        payload: what it is called with.
    """

    def __init__(self, open_score: OpenScore, payload: ValidationPayload) -> None:
        import torch

        _lower_priority()
        torch.set_num_threads(max(1, min(MOST_THREADS, _cpus_of_this_node())))
        self.open_score = open_score
        elsewhere = payload.content is not None and payload.node != ray.get_runtime_context().get_node_id()
        self.payload = replace(payload, home=None) if elsewhere else payload
        self._score: Score | None = None
        self._told: set[int] = set()

    def open(self) -> None:
        """Begin with what can be done before the first checkpoint; the first score says what is wrong with it."""
        with contextlib.suppress(Exception):
            self._score = self.open_score(self.payload)

    def score(self, checkpoint: "Checkpoint", cur_nimg: int, channel: Any) -> tuple[dict[str, float], list[str]]:
        """Fetch a checkpoint from the storage and score it.

        Args:
            checkpoint: in the storage.
            cur_nimg: images that it has seen.
            channel: where it is told how far the score is, every second.

        Returns:
            Metrics by name; and a sentence for each class that has collapsed and has not been told of before.
        """
        self._score = self._score or self.open_score(self.payload)
        told = 0.0

        def tell(passed: int, to_pass: int) -> None:
            nonlocal told
            if (now := time.monotonic()) - told > TELL_SECONDS or passed == to_pass:
                told = now
                channel.put.remote(asdict(Scoring(cur_nimg, passed, to_pass)))

        with checkpoint.as_directory() as folder:
            watched = self._score(Path(folder), tell)
        found = watched.collapses(self.payload.header.class_names, cur_nimg)
        new = [sentence for label, sentence in found.items() if label not in self._told]
        self._told |= found.keys()
        return watched.metrics, new


def start_validator(payload: ValidationPayload, open_score: OpenScore, *, gpu: bool) -> Any:
    """Start the process that scores, on this node unless another has the GPU for it, and return its handle.

    Args:
        payload: what it is told.
        open_score: what scores.
        gpu: whether a GPU is free for it.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    no_gpu = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}
    validator = Validator.options(  # type: ignore[attr-defined]
        num_gpus=int(gpu),
        scheduling_strategy=NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=gpu),
        runtime_env={"env_vars": THREADS_WAIT | no_gpu},
    ).remote(open_score, payload)
    validator.open.remote()
    return validator


def validation_config(config: "Config", validator: Any, channel: Any) -> "ValidationConfig":
    """Say to Ray Train how a checkpoint is scored.

    Args:
        config: the run's configuration.
        validator: from `start_validator`.
        channel: where scores and warnings are put for the driver.
    """
    from ray.train import ValidationConfig, ValidationTaskConfig

    arguments = {
        "validator": validator,
        "channel": channel,
        "total_nimg": config.train.total_images,
        "seconds": SECONDS + SECONDS_AN_IMAGE * config.evaluation.watch_images,
    }
    return ValidationConfig(
        validate,  # type: ignore[arg-type]
        task_config=ValidationTaskConfig(fn_kwargs=arguments),
        ray_remote_kwargs={"num_cpus": 0},
    )


def validate(
    checkpoint: "Checkpoint", *, validator: Any, channel: Any, cur_nimg: int, total_nimg: int, seconds: float
) -> dict[str, float]:
    """What Ray Train calls with each checkpoint, in a process of its own: tell the driver, and return the metrics.

    Nothing that goes wrong here may end the training, so it is a warning, and the checkpoint stays unscored.
    """
    try:
        metrics, warnings = ray.get(validator.score.remote(checkpoint, cur_nimg, channel), timeout=seconds)
    except Exception as error:  # a lost process or node, too
        sentence = f"the KID beside training cannot be measured ({_reason(error)}): training goes on without it"
        ray.get(channel.put.remote({"warning": sentence}))
        return {}
    ray.get([channel.put.remote({"warning": sentence}) for sentence in warnings])
    ray.get(channel.put.remote({"cur_nimg": cur_nimg, "total_nimg": total_nimg, "metrics": metrics}))
    found: dict[str, float] = metrics
    return found


def _reason(error: Exception) -> str:
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, GanflowError):
        return str(cause)
    name, line = type(cause).__name__, last_line_of(cause)
    return name if line == name else f"{name}: {line}"


def _lower_priority() -> None:
    """Take a tenth of what the loop takes where both want the same core; all of it when the loop has ended.

    Not the idle class: on a machine that others keep busy it would never get anywhere.
    """
    with contextlib.suppress(OSError):  # not allowed here
        os.nice(10)


def _cpus_of_this_node() -> int:
    here = ray.get_runtime_context().get_node_id()
    return next((int(node["Resources"].get("CPU", 1)) for node in ray.nodes() if node["NodeID"] == here), 1)  # type: ignore[no-untyped-call]
