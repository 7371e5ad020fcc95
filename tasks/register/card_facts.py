"""What a model card says beside the scores: the data, what the training took, where its pictures are."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict

from gan.text.shown import inert
from gan.training.header import Header
from tasks.dataset.origin import RecordedOrigin, recorded_origin
from tasks.runtime.settings import Settings
from tasks.tracking.client import client
from tasks.tracking.ingest_runs import ingest_runs
from tasks.train.energy import ENERGY, ENERGY_OF
from tasks.train.log import SAMPLES

_GRID = re.compile(rf"{SAMPLES}/samples-\d+\.png")


class CardFacts(BaseModel):
    """Facts of a training run; None where nobody recorded them.

    Attributes:
        run_id: the run.
        source: what the dataset was read from.
        licence: of that.
        source_url: where its images are published.
        credit: who is to be named.
        description: what its images show.
        num_train: images that were trained on.
        minutes: of steps, those after a resume too.
        device: that computed them.
        workers: how many shared a batch.
        watt_hours: that the machine took since the training was last started.
        energy_of: whose counters said so.
        code: version and digest of ganflow's code.
        samples: artifact of the run with its last sample grid.
        learnt_through: weights of others that the images were looked at through in training; None: of nobody.
    """

    model_config = ConfigDict(frozen=True)

    run_id: str
    source: str | None = None
    licence: str | None = None
    source_url: str | None = None
    credit: str | None = None
    description: str | None = None
    num_train: int | None = None
    minutes: float | None = None
    device: str | None = None
    workers: int | None = None
    watt_hours: float | None = None
    energy_of: str | None = None
    code: str | None = None
    samples: str | None = None
    learnt_through: str | None = None


def card_facts(settings: Settings, run_id: str, header: Header, origin: RecordedOrigin | None = None) -> CardFacts:
    """Gather them from the run, its checkpoint, and the newest ingest of its dataset.

    Args:
        settings: where all of them are.
        run_id: the run.
        header: of its checkpoint.
        origin: of its dataset, where that has been read.

    Raises:
        ServiceError: MLflow does not answer.
    """
    mlflow_client = client(settings)
    origin = origin or recorded_origin(settings, header.dataset_md5)
    run = mlflow_client.get_run(run_id).data
    ingest = next((each for each in ingest_runs(settings) if each.md5 == header.dataset_md5), None)
    speeds = mlflow_client.get_metric_history(run_id, "images_per_second")
    grids = [file.path for file in mlflow_client.list_artifacts(run_id, SAMPLES) if _GRID.fullmatch(file.path)]
    return CardFacts(
        run_id=run_id,
        source=origin.name if ingest is None else ingest.source,
        licence=origin.licence,
        source_url=origin.source_url,
        credit=origin.credit,
        description=origin.description,
        num_train=ingest and ingest.num_train,
        minutes=minutes_of_steps([(int(each.step), float(each.value)) for each in speeds]),
        device=_of(header, "device", str),
        workers=_of(header, "workers", int),
        watt_hours=run.metrics.get(ENERGY),
        energy_of=run.tags.get(ENERGY_OF),
        code=run.tags.get("code"),
        samples=inert(max(grids)) if grids else None,
        learnt_through=learnt_through(header),
    )


def learnt_through(header: Header) -> str | None:
    """Name the weights of others through which a discriminator looked at images, and what these were trained on."""
    network = header.config.get("network")
    if not isinstance(network, dict) or network.get("architecture") != "projected":
        return None
    return "EfficientNet-lite0 (Apache-2.0), trained on ImageNet"


def minutes_of_steps(speeds: list[tuple[int, float]]) -> float | None:
    """Minutes that steps took, from records of images seen and images a second since the record before.

    Where workers began again from a checkpoint, images that were seen twice count once. None: there is no record.
    """
    seconds, reached = 0.0, 0
    for step, rate in sorted(speeds):
        if step > reached and rate > 0:
            seconds, reached = seconds + (step - reached) / rate, step
    return seconds / 60 if reached else None


def _of(header: Header, key: str, kind: type) -> Any:
    found = header.machine.get(key)
    return found if type(found) is kind else None
