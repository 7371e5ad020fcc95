"""What a person means by a word: a dataset, a run, a version, a release or one image; and the chain of that."""

import re
from pathlib import Path

from gan.errors import InputError
from tasks.dataset.catalogue import CURRENT, SHORTEST_PREFIX
from tasks.lineage import on_disk
from tasks.lineage.gather import Gathering
from tasks.lineage.records import KINDS, Image, Lineage
from tasks.lineage.sources import Sources
from tasks.runtime.settings import Settings
from tasks.tracking.client import DATASETS, EVALUATIONS, RELEASES, TRAINING
from tasks.tracking.past import PastRun, past_run, past_runs

_HEX = re.compile(rf"[0-9a-f]{{{SHORTEST_PREFIX},32}}")
_IMAGE = re.compile(r"(?P<release>.+)(?P<sign>[#:])(?P<number>[0-9]{1,19})")
_MOST_NAMED = 6
Found = tuple[str, str]  # kind and whole name


def find_lineage(settings: Settings, asked: str) -> Lineage:
    """The chain of what a person names.

    Args:
        settings: where everything is recorded.
        asked: an md5 of a dataset or a run's id, or the beginning of either; a version's number or alias; a release's
            name; `RELEASE#ROW`, `RELEASE:SEED` or an image file whose pixels are of a release. `dataset/…`, `run/…`,
            `version/…` and `release/…` say which of these is meant.

    Raises:
        InputError: there is no such thing, or more than one.
        ServiceError: MLflow does not answer.
    """
    sources = Sources(settings)
    wanted, slash, name = asked.partition("/")
    is_kind = bool(slash) and wanted in KINDS
    found = [each for each in _candidates(sources, name) if each[0] == wanted] if is_kind else []
    if not found and (image := _image(settings, asked)) is not None:
        return _chain(sources, asked, ("image", f"{image.release}#{image.row}"), (image,))
    found = found if is_kind else _candidates(sources, asked)
    if not found:
        raise InputError(
            f"nothing on record in {settings.home} is called «{asked[:100]}»: give a dataset's md5, a run's id, a "
            "version or alias, a release's name, RELEASE#ROW, or an image of a release"
        )
    if len(found) > 1:
        named = ", ".join(f"{kind}/{each}" for kind, each in found[:_MOST_NAMED])
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        raise InputError(f"«{asked}» may be {named}{more}: give one of these")
    return _chain(sources, asked, found[0])


def _chain(sources: Sources, asked: str, found: Found, images: tuple[Image, ...] = ()) -> Lineage:
    gathering, (kind, name) = Gathering(sources), found
    if kind == "dataset":
        gathering.follow_dataset(name)
    elif kind == "run":
        gathering.follow_training(name)
    elif kind == "version":
        gathering.follow_version(int(name), sources.versions[int(name)].run_id)
    else:
        release = images[0].release if images else name
        for each in sources.releases:
            # A release of this name that was drawn anew is another one: an image lies in the one that is here.
            if each.name == release and (each.here or not images):
                gathering.release(each)
    return gathering.lineage(asked, kind, name, images)  # type: ignore[arg-type]


def _image(settings: Settings, asked: str) -> Image | None:
    file = Path(asked).expanduser()
    try:
        is_file = file.is_file()
    except (OSError, ValueError):  # of names that no file can have
        is_file = False
    if is_file:
        return _image_of_file(settings, file)
    match = _IMAGE.fullmatch(asked)
    if match is None or match["release"] not in {*on_disk.folders(settings), *on_disk.absent(settings)}:
        return None
    find = on_disk.image_of_row if match["sign"] == "#" else on_disk.image_of_seed
    return find(settings, match["release"], int(match["number"]))


def _image_of_file(settings: Settings, file: Path) -> Image:
    found = on_disk.find_images(settings, file)
    if not found:
        away = on_disk.absent(settings)
        more = f"; {len(away)} more are tracked but not here, `dvc pull` brings them" if away else ""
        raise InputError(
            f"the pixels of {file} are of none of the {len(on_disk.folders(settings))} releases in "
            f"{settings.synthetic_dir}{more}: name an image as it was released, not enlarged or packed with loss"
        )
    if len(found) > 1:
        named = ", ".join(f"{each.release}#{each.row}" for each in found[:_MOST_NAMED])
        raise InputError(f"{file} is {len(found)} images of releases, among them {named}: give one of these")
    return found[0]


def _candidates(sources: Sources, name: str) -> list[Found]:
    found: list[Found] = []
    lower = name.lower().removesuffix(".dir")
    known = [*sources.datasets, *(version.tags.get("dataset_md5", "") for version in sources.versions.values())]
    known += [release.dataset_md5 or "" for release in sources.releases]
    for md5 in dict.fromkeys(known):
        begins = _HEX.fullmatch(lower) is not None and md5.startswith(lower)
        if begins or (name == CURRENT and md5 in sources.datasets and sources.datasets[md5].current):
            found.append(("dataset", md5))
    found += _runs(sources, lower)
    for version in sources.versions.values():
        if name == str(version.version) or name in version.aliases:
            found.append(("version", str(version.version)))
    if any(release.name == name for release in sources.releases):
        found.append(("release", name))
    return list(dict.fromkeys(found))


def _runs(sources: Sources, name: str) -> list[Found]:
    """What the id of a run, or its beginning, stands for: runs of other steps are named for what they record."""
    if not _HEX.fullmatch(name):
        return []
    if (whole := past_run(sources.settings, name)) is not None:
        return _of_run(whole)
    found = []
    for experiment in (TRAINING, DATASETS, EVALUATIONS, RELEASES):
        for run in past_runs(sources.settings, experiment, begins=name):
            found += _of_run(run)
    if not found and len(name) == 32:
        known = next(past_runs(sources.settings, TRAINING, {"dataset_md5": name}), None)
        return [("dataset", name)] if known else []
    return found


def _of_run(run: PastRun) -> list[Found]:
    if run.experiment == TRAINING:
        return [("run", run.run_id)]
    kind, tag = {
        DATASETS: ("dataset", "dataset_md5"),
        EVALUATIONS: ("run", "training run"),
        RELEASES: ("release", "release"),
    }.get(run.experiment, ("", ""))
    return [(kind, run.tags[tag])] if tag in run.tags else []
