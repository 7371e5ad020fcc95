"""Ray Train: one training on as many workers as there are, watched by the driver."""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan.configuration.config import Config
from gan.data.store.dataset import DatasetInfo
from gan.errors import ConfigError
from gan.metrics.weights import find_inception_weights
from gan.training.context import Progress
from gan.training.header import Header, WarmStartRecord
from tasks.runtime.ray_cluster import in_a_thread, ray_cluster
from tasks.runtime.settings import Settings
from tasks.runtime.storage import storage_errors
from tasks.train.best import TrainingResult, fetch_best, require_end
from tasks.train.budget import leaving_at
from tasks.train.resources import WorkerRange, elastic_resources
from tasks.train.run_storage import RunStorage
from tasks.train.warm_start import training_hash_with

if TYPE_CHECKING:
    from ray.train import Result, ValidationConfig
    from ray.train.torch import TorchTrainer

    from tasks.train.channel import Scoring
    from tasks.train.failures import EndWhatWouldFailAgain
    from tasks.train.validator import OpenScore
    from tasks.train.worker_log import WorkerLog


def checkpoint_header(
    config: Config, info: DatasetInfo, dataset_md5: str, warm_start: WarmStartRecord | None = None
) -> Header:
    """What a checkpoint says of the run that made it.

    Args:
        config: the run's configuration.
        info: the dataset.
        dataset_md5: its name.
        warm_start: `WarmStart.record` of the model that the run begins with; None: it begins at random.

    Raises:
        ConfigError: the dataset's resolution is not the network's, it has more classes than the network may have, or
            stages are frozen that are random.
    """
    if config.train.freeze_d and warm_start is None:
        raise ConfigError(
            f"train.freeze_d is {config.train.freeze_d} but the run begins at random, and stages that keep that would "
            "see nothing: name a model with --warm-start, or set train.freeze_d to 0"
        )
    if info.resolution != config.network.resolution:
        raise ConfigError(
            f"the dataset is {info.resolution} px but preset {config.preset} makes {config.network.resolution} px: "
            f"ingest again with --set data.resolution={config.network.resolution}, or choose another preset"
        )
    if config.network.conditional and info.num_classes > config.network.max_classes:
        raise ConfigError(
            f"the dataset has {info.num_classes} classes but network.max_classes is {config.network.max_classes}: "
            "raise it, merge classes with data.class_map and ingest again, or set network.conditional=false"
        )
    return Header(
        config=config.model_dump(mode="json"),
        training_hash=training_hash_with(config.training_hash(), warm_start),
        dataset_md5=dataset_md5,
        channels=info.channels,
        num_classes=info.num_classes if config.network.conditional else 0,
        class_names=info.class_names,
        warm_start=warm_start,
    )


def train_on_ray(
    config: Config,
    header: Header,
    settings: Settings,
    *,
    name: str,
    workers: WorkerRange,
    destination: Path,
    on_progress: Callable[[Progress], None],
    on_warning: Callable[[str], None],
    on_scoring: "Callable[[Scoring], None]" = lambda scoring: None,
    on_log: "Callable[[WorkerLog], None]" = lambda log: None,
    open_score: "OpenScore | None" = None,
    gpu_to_score: bool = True,
    on_channel: Callable[[Any], None] = lambda channel: None,
    until: float | None = None,
) -> TrainingResult:
    """Train to the end; a second call with the same name goes on from the last checkpoint that is whole.

    Unless `evaluation.watch_images` is 0, each checkpoint is scored beside training, and the best is taken.

    Args:
        config: the run's configuration.
        header: from `checkpoint_header`.
        settings: where data and storage are.
        name: folder of the run in the storage.
        workers: processes to train with.
        destination: a new folder for the checkpoint.
        on_progress: called on a thread of the driver with every record.
        on_warning: called there with a sentence, once with each.
        on_scoring: called there with how far the score of a checkpoint is.
        on_log: called there with what the first worker wrote when it ends, and others where they fail.
        open_score: what scores checkpoints, called in the process beside training; None: KID.
        gpu_to_score: whether scores may take a GPU that is free now.
        on_channel: called with the channel before anything trains, by which the training can be asked to leave.
        until: when it leaves a checkpoint and ends, by the monotonic clock; None: at its end.

    Raises:
        BudgetSpentError: `until` came before its end.
        WeightsError: checkpoints are to be scored, and the feature network's weights are not to be found.
        GanflowError: what a worker explained, or a sentence on why Ray gave up.
    """
    watched = config.evaluation.watch_images > 0
    # before anything starts: without the weights, no score would come of hours of training
    weights = find_inception_weights(settings.ganflow_inception_weights, settings.cache_dir) if watched else None
    storage = RunStorage(settings.storage, name)
    with ray_cluster(settings, on_warning) as nodes:
        from tasks.doctor.cluster import require_equal_versions
        from tasks.train.channel import collecting, open_channel
        from tasks.train.failures import EndWhatWouldFailAgain
        from tasks.train.room import watching_room
        from tasks.train.validator import validation_config

        share = elastic_resources(nodes, workers)
        if settings.on_cluster:
            require_equal_versions(shipped=settings.ganflow_ship_code)
        on_channel(channel := open_channel())
        validator = None
        if weights is not None:
            taken = workers.most * share["GPU"] if gpu_to_score else math.inf
            validator = _start_validator(config, header, settings, weights, open_score, on_warning, gpus_taken=taken)
        trainer = _make_trainer(
            header,
            settings,
            name=name,
            workers=workers,
            share=share,
            channel=channel,
            validation=validation_config(config, validator, channel) if validator else None,
            ending=EndWhatWouldFailAgain(settings.storage, validator),
        )

        with storage_errors(settings.storage):
            _remove_cut(storage, on_warning)
        watching = watching_room(nodes, share, workers, on_warning) if settings.ray_address else nullcontext()
        with (
            collecting(channel, on_progress, on_warning, on_scoring, on_log),
            watching,
            leaving_at(until, channel) as asked,
        ):
            result = _fit(trainer, name, channel)
        with storage_errors(settings.storage):
            require_end(storage, config.train.total_images, asked=asked.is_set())
            return fetch_best(result, storage, destination, config.train.total_images, on_warning)


def _remove_cut(storage: RunStorage, on_warning: Callable[[str], None]) -> None:
    """Remove what a kill has cut short in the run's folder."""
    storage.drop_broken_list()
    if cut := storage.drop_cut():
        on_warning(f"{', '.join(cut)} of run {storage.run} had been cut short and was removed from the storage")


def _start_validator(
    config: Config,
    header: Header,
    settings: Settings,
    weights: Path,
    open_score: "OpenScore | None",
    on_warning: Callable[[str], None],
    *,
    gpus_taken: float,
) -> Any:
    """Start what scores checkpoints, on a GPU that the workers leave, or else on a processor."""
    import ray

    from tasks.evaluate.extraction import resolve_precision
    from tasks.evaluate.network import warn_of_emulation
    from tasks.train.validator import ValidationPayload, open_kid, start_validator

    gpu = ray.available_resources().get("GPU", 0) - gpus_taken >= 1  # type: ignore[no-untyped-call]
    evaluation = resolve_precision(settings, config.evaluation, gpu=gpu)
    warn_of_emulation(evaluation, on_warning, gpu=gpu)
    payload = ValidationPayload(
        header,
        evaluation.model_dump(mode="json"),
        str(settings.home),
        str(weights.absolute()),
        # elsewhere the evaluation will have better hardware than what is left beside the training
        ahead=settings.ray_address is None and (gpu or not gpus_taken),
        cache=str(settings.cache_dir),
        node=ray.get_runtime_context().get_node_id(),
        storage=settings.storage,
        content=ray.put(np.fromfile(weights, np.uint8)) if gpu and settings.on_cluster else None,
    )
    return start_validator(payload, open_score or open_kid, gpu=gpu)


def _make_trainer(
    header: Header,
    settings: Settings,
    *,
    name: str,
    workers: WorkerRange,
    share: dict[str, int],
    channel: Any,
    validation: "ValidationConfig | None",
    ending: "EndWhatWouldFailAgain",
) -> "TorchTrainer":
    import ray.train

    from tasks.train.failures import MAX_WAITS, MAX_WORKER_FAILURES
    from tasks.train.lean_trainer import Alone, LeanTrainer
    from tasks.train.process_group import torch_config, worker_environment
    from tasks.train.worker import WorkerPayload, train_worker

    payload = WorkerPayload(
        header=header.to_json(),
        data_dir=None if settings.on_cluster else str(settings.data_dir),
        cache_dir=None if settings.on_cluster else str(settings.resident_dir),
        storage=settings.storage,
        cpus=share["CPU"],
        feed_memory=settings.feed_memory,
    )
    return LeanTrainer(
        train_worker,
        on_cluster=settings.on_cluster,
        train_loop_config={"payload": asdict(payload), "channel": channel},
        torch_config=torch_config() if workers.most > 1 else Alone(),
        scaling_config=ray.train.ScalingConfig(
            num_workers=(workers.fewest, workers.most) if workers.is_elastic else workers.most,  # type: ignore[arg-type]
            use_gpu=bool(share["GPU"]),
            resources_per_worker={"CPU": share["CPU"]},
        ),
        run_config=ray.train.RunConfig(  # type: ignore[call-arg]
            name=name,
            storage_path=settings.storage,
            worker_runtime_env=worker_environment(),
            callbacks=[ending],  # type: ignore[list-item]
            # the two best, the last, and whatever waits for its score; where none is scored, the last two
            checkpoint_config=ray.train.CheckpointConfig(
                num_to_keep=2, checkpoint_score_attribute="kid", checkpoint_score_order="min"
            ),
            failure_config=ray.train.FailureConfig(  # type: ignore[call-arg]
                max_failures=MAX_WORKER_FAILURES, controller_failure_limit=MAX_WAITS
            ),
        ),
        validation_config=validation,
    )


def _fit(trainer: "TorchTrainer", name: str, channel: Any) -> "Result":
    """Train until Ray Train has come to an end; where this process is asked to end first, so is the training.

    Raises:
        GanflowError: what a worker explained, or that workers failed again and again.
    """
    import ray.train

    from tasks.train.failures import training_error

    def leave(seconds: float) -> None:
        ray.wait([channel.leave.remote()], timeout=seconds)

    try:
        return in_a_thread(trainer.fit, leave)
    except ray.train.TrainingFailedError as error:
        raise training_error(error, name) from error
