"""The flow `run`: the whole chain from images to a release."""

from prefect import flow
from pydantic import BaseModel, ConfigDict

from flows.generate import generate_configured
from flows.ingest import ingest_configured
from flows.parameters import Plain, Workers
from flows.register import Registered
from flows.retrain import retrain_configured
from gan.configuration.provenance import Configuration
from gan.data.origin import Origin
from gan.data.sources.spec import AUTO, NOTHING_ASKED, Asked
from tasks.champion.changing import champion
from tasks.generate.publishing import Released
from tasks.ingest.step import Ingested
from tasks.runtime.settings import Settings
from tasks.tracking.versions import CHAMPION


class PipelineResult(BaseModel):
    """What each step of the pipeline did; there is no release where there is no champion to draw it from."""

    model_config = ConfigDict(frozen=True)

    dataset: Ingested
    model: Registered
    release: Released | None


@flow(name="run")
def pipeline(
    source: Plain,
    configuration: Configuration,
    workers: Workers = 1,
    source_kind: str = AUTO,
    labels: Plain | None = None,
    source_secret: str | None = None,
    asked: Asked = NOTHING_ASKED,
    origin: Origin | None = None,
) -> PipelineResult:
    """Ingest, train, evaluate, register, and draw a release from the champion, if there is one.

    Args:
        source: `digits`, a folder, an archive or a Parquet file of images, a URL of one, or a Hugging Face dataset.
        configuration: of every step.
        workers: Ray Train workers: a number, or a range such as `2:4`.
        source_kind: what the source is; `auto` tells it by what is found there.
        labels: a CSV or JSON file of labels for a folder of images, or `none`.
        source_secret: name of the Secret block that holds the credential of a URL's server.
        asked: how a folder of images is to be read.
        origin: whose images they are; what is not said stays as it was said of the version before.
    """
    # Not announced: a listening `retrain/on-new-data` would train the same again beside this run.
    dataset = ingest_configured(
        source,
        configuration.data,
        source_kind,
        labels,
        announce=False,
        source_secret=source_secret,
        origin=origin,
        asked=asked,
    )
    model = retrain_configured(configuration, dataset.md5, workers)
    assert isinstance(model, Registered)  # it was not asked to skip anything
    # The first candidate may wait for a person, and then nothing is in use.
    in_use = model.alias == CHAMPION or champion(Settings()) is not None
    release = generate_configured(CHAMPION, configuration) if in_use else None
    return PipelineResult(dataset=dataset, model=model, release=release)
