"""The chain as plain records; None, or nothing, stands for what nobody has recorded."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["dataset", "run", "version", "release", "image"]
KINDS: tuple[Kind, ...] = ("dataset", "run", "version", "release", "image")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True)


class Dataset(_Record):
    """A version of the dataset.

    Attributes:
        md5: its name.
        source: what it was read from.
        licence: of that; the tag `licence` of the ingest's run, which has it from `dataset.json`.
        source_url: where its images are published.
        credit: who is to be named.
        first_made: UTC, to the minute.
        ingest_run: the newest run that gave it.
        again: the command that brings it back.
    """

    md5: str | None
    current: bool = False
    source: str | None = None
    licence: str | None = None
    source_url: str | None = None
    credit: str | None = None
    num_train: int | None = None
    num_test: int | None = None
    first_made: str | None = None
    ingest_run: str | None = None
    again: str | None = None


class Training(_Record):
    """A training run.

    Attributes:
        status: MLflow's; None: the run is gone.
        code: version and digest of ganflow's code.
        git_revision: of the working copy that it ran from.
        began_with: the version whose networks it began with.
        reproduces: the version that it was to make again.
    """

    run_id: str
    dataset_md5: str | None = None
    status: str | None = None
    preset: str | None = None
    seed: str | None = None
    total_kimg: str | None = None
    workers: str | None = None
    code: str | None = None
    git_revision: str | None = None
    began_with: int | None = None
    reproduces: str | None = None


class Evaluated(_Record):
    """An evaluation of a generator; `decided` says whether a version was registered with it."""

    run_id: str
    training_run: str
    dataset_md5: str | None
    status: str
    decided: bool
    scores: dict[str, float]


class ModelVersion(_Record):
    """A version of the registered model; one that is no longer in the registry has no more than its number."""

    version: int
    run_id: str
    model: str
    registered: bool = True
    aliases: tuple[str, ...] = ()
    verdict: str | None = None
    again: str | None = None


class Release(_Record):
    """A release.

    Attributes:
        md5: DVC's.
        state: the tag `state` of its run.
        run_id: its MLflow run.
        here: whether its folder lies in this home.
        again: the command that draws it again.
    """

    name: str
    md5: str | None
    model: str | None
    model_version: int | None
    training_run: str | None
    dataset_md5: str | None
    num_images: int | None = None
    first_seed: int | None = None
    truncation: float | None = None
    state: str | None = None
    run_id: str | None = None
    here: bool = False
    again: str | None = None


class Image(_Record):
    """One image of a release.

    Attributes:
        row: in the release, from 0.
        file: the shard that holds it.
        row_of_file: in that, from 0.
        sha256: of its pixels.
        look: the command that shows it, enlarged; the very pixels come with the whole release.
    """

    release: str
    row: int
    file: str
    row_of_file: int
    seed: int
    label: int
    class_name: str | None
    sha256: str
    look: str | None = None


class Lineage(_Record):
    """All that is connected with one thing, each in the order in which it was found.

    Attributes:
        asked: what a person typed.
        kind: what that is.
        name: its whole name.
    """

    asked: str
    kind: Kind
    name: str
    datasets: tuple[Dataset, ...] = ()
    trainings: tuple[Training, ...] = ()
    evaluations: tuple[Evaluated, ...] = ()
    versions: tuple[ModelVersion, ...] = ()
    releases: tuple[Release, ...] = ()
    images: tuple[Image, ...] = ()
