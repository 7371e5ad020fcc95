"""Which versions of the dataset there are, what changed between two, and how one comes back.

The history is the runs of the experiment `ganflow-datasets`; the images are read from DVC's cache, so comparing two
versions leaves `data/` as it is.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict

from gan.errors import DatasetError, InputError, ServiceError
from tasks.dataset.repository import checkout_version, current_md5, recover, require_version, version_files
from tasks.dataset.session import tracked_md5
from tasks.runtime.settings import Settings
from tasks.tracking.ingest_runs import IngestRun, ingest_runs
from tasks.tracking.runs import run_artifact

if TYPE_CHECKING:  # listing versions reads no images
    from tasks.dataset.contents import Place
    from tasks.dataset.diff import VersionDiff

CURRENT = "current"
SHORTEST_PREFIX = 4


class Version(BaseModel):
    """One version of the dataset; None where no finished run of MLflow says it.

    `first_made` is UTC to the minute; `run_id` is the newest ingest that gave this version.
    """

    model_config = ConfigDict(frozen=True)

    md5: str
    current: bool
    first_made: str | None = None
    num_train: int | None = None
    num_test: int | None = None
    source: str | None = None
    licence: str | None = None
    source_url: str | None = None
    credit: str | None = None
    run_id: str | None = None


class Described(BaseModel):
    """A version with what its `dataset.json` says; `first_made` is as in `Version`."""

    model_config = ConfigDict(frozen=True)

    md5: str
    current: bool
    first_made: str | None
    info: dict[str, Any]


class CheckedOut(BaseModel):
    """What `checkout` did; `changed` is whether `data.dvc` says something new."""

    model_config = ConfigDict(frozen=True)

    md5: str
    changed: bool
    num_train: int
    num_test: int


def versions(settings: Settings) -> list[Version]:
    """Every version that an ingest made or `data.dvc` names, the last that was first made in front.

    Raises:
        DatasetError: `data.dvc` is malformed.
        ServiceError: no MLflow server answers.
    """
    recover(settings)
    current = current_md5(settings)
    newest: dict[str, IngestRun] = {}
    first: dict[str, int] = {}
    for run in ingest_runs(settings):
        newest.setdefault(run.md5, run)
        first[run.md5] = run.started
    made = [
        Version(
            md5=md5,
            current=md5 == current,
            first_made=datetime.fromtimestamp(first[md5] / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ"),
            num_train=run.num_train,
            num_test=run.num_test,
            source=run.source,
            licence=run.licence,
            source_url=run.source_url,
            credit=run.credit,
            run_id=run.run_id,
        )
        for md5, run in sorted(newest.items(), key=lambda item: first[item[0]], reverse=True)
    ]
    return made if current is None or current in newest else [Version(md5=current, current=True), *made]


def find_version(settings: Settings, name: str) -> Version:
    """The version with this md5, beginning of one, or the word `current`.

    Raises:
        DatasetError: there is none, or more than one.
    """
    known = versions(settings)
    wanted = require_version(settings) if name == CURRENT else name.lower().removesuffix(".dir")
    if len(wanted) < SHORTEST_PREFIX:
        raise DatasetError(
            f"«{name}» is too short to name a dataset version: give at least {SHORTEST_PREFIX} characters of its md5, "
            "see `ganflow dataset log`"
        )
    found = [version for version in known if version.md5.startswith(wanted)]
    if len(found) != 1:
        many = f"{len(found)} dataset versions begin with" if found else "no dataset version is called"
        raise DatasetError(f"{many} «{name}»: see `ganflow dataset log`")
    return found[0]


def describe_version(settings: Settings, name: str) -> Described:
    """Read what a version, given as `find_version` takes it, says of itself.

    Raises:
        DatasetError: the version is not known, not to be had, or broken.
    """
    from tasks.dataset.contents import read_info

    version = find_version(settings, name)
    files = version_files(settings, version.md5, _pointer_text(settings, version))
    info = read_info(version.md5, files)
    return Described(md5=version.md5, current=version.current, first_made=version.first_made, info=info)


def diff_versions(settings: Settings, before: str, after: str) -> "VersionDiff":
    """Compare two versions by the pixels of their images, each given as `find_version` takes it.

    Raises:
        DatasetError: a version is not known, not to be had, or broken.
    """
    from tasks.dataset.contents import read_version
    from tasks.dataset.diff import diff_images

    places: dict[Place, int] = {}
    # Both are known before one is fetched.
    chosen = [find_version(settings, name) for name in (before, after)]
    old, new = (
        read_version(version.md5, version_files(settings, version.md5, _pointer_text(settings, version)), places)
        for version in chosen
    )
    return diff_images(old, new, list(places))


def checkout(settings: Settings, name: str) -> CheckedOut:
    """Make a version, given as `find_version` takes it, the current one: `data/` and `data.dvc`.

    Raises:
        DatasetError: the version is not known, not to be had or broken; then nothing is changed.
        GanflowError: DVC refuses.
    """
    import numpy as np

    from tasks.dataset.contents import read_version

    version = find_version(settings, name)
    pointer = _pointer_text(settings, version)
    places: dict[Place, int] = {}
    images = read_version(version.md5, version_files(settings, version.md5, pointer), places)
    rows = dict(zip(places, np.bincount(images.places, minlength=len(places)).tolist(), strict=True))
    return CheckedOut(
        md5=version.md5,
        changed=checkout_version(settings, version.md5, pointer),
        **{f"num_{split}": sum(n for place, n in rows.items() if place[0] == split) for split in ("train", "test")},
    )


def _pointer_text(settings: Settings, version: Version) -> str:
    try:
        if version.current:
            file = settings.home / "data.dvc"
        else:
            file = run_artifact(settings, str(version.run_id), "data.dvc")
        if tracked_md5(file) == version.md5:
            text = file.read_text("utf-8")
            tree = yaml.safe_load(text)
            # DVC writes where a pointer says, so it may say nothing but `data` beside itself.
            if [out["path"] for out in tree["outs"]] == ["data"] and "wdir" not in tree:
                return text
    except ServiceError:
        raise
    except (InputError, LookupError, TypeError):
        pass
    raise DatasetError(
        f"MLflow at {settings.tracking_place} has no data.dvc of dataset {version.md5}: "
        "run `ganflow ingest` with its source again"
    )
