"""Licence, source and credit on their way: ingest, dataset.json, DVC version, MLflow, and the ingests after it."""

import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.configuration.config import DataConfig
from gan.data.origin import FIELDS, Origin
from gan.data.sources.spec import SourceSpec
from gan.data.store.dataset import read_dataset_info
from gan.errors import ReleaseError
from tasks.dataset.catalogue import checkout, describe_version, diff_versions, versions
from tasks.dataset.origin import recorded_origin
from tasks.dataset.repository import current_md5, ensure_data
from tasks.generate.licence import model_origin, require_license
from tasks.ingest import ledger
from tasks.ingest.run import ingest_dataset
from tasks.runtime.settings import Settings
from tasks.tracking.client import DATASETS, TRAINING, client, run
from tasks.tracking.versions import find_model

pytestmark = pytest.mark.integration
LOG = logging.getLogger(__name__)
CONFIG = DataConfig(resolution=16)
CC = Origin(licence="CC-BY-4.0", source_url="https://example.org/pets", credit="A. Person", description="pets")


def photos(folder: Path, count: int, first: int = 0) -> SourceSpec:
    for number in range(first, first + count):
        place = folder / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return SourceSpec(str(folder))


def home(path: Path) -> Settings:
    return Settings(ganflow_home=path, mlflow_tracking_uri=f"sqlite:///{path / 'mlflow.db'}")


@pytest.fixture
def settings(tmp_path):
    return home(tmp_path / "home")


def ingest(settings, spec, origin=None):
    """As the step does it, without Prefect; returns the md5 and the fields that were kept."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    done = ingest_dataset(settings, spec, CONFIG, LOG, announce=False, origin=origin)
    assert ledger.deliver_outbox(settings, pytest.fail) in {done.version.md5, None}
    return done.version.md5, done.kept


def shards(settings):
    return {path.name: path.read_bytes() for path in settings.data_dir.glob("*.parquet")}


def test_what_is_said_stays_until_something_else_is(settings, tmp_path):
    spec = photos(tmp_path / "pets", 40)
    bare, kept = ingest(settings, spec)
    images = shards(settings)
    assert (recorded_origin(settings, bare).licence, kept) == (None, ())

    told, kept = ingest(settings, spec, CC)
    assert (told != bare, kept) == (True, ())
    assert read_dataset_info(settings.data_dir).origin == CC
    assert shards(settings) == images
    assert diff_versions(settings, bare, told).settings == {
        "licence": (None, CC.licence), "source_url": (None, CC.source_url), "credit": (None, CC.credit),
        "description": (None, CC.description),
    }  # fmt: skip

    again, kept = ingest(settings, spec)
    assert (again, kept) == (told, ("licence", "source_url", "credit", "description"))

    grown, kept = ingest(settings, photos(tmp_path / "pets", 10, first=40), Origin(credit="B. Person"))
    assert kept == ("licence", "source_url", "description")
    assert read_dataset_info(settings.data_dir).origin == CC.model_copy(update={"credit": "B. Person"})

    other, _ = ingest(settings, spec, Origin(licence="CC0-1.0", credit="", source_url="", description=""))
    assert read_dataset_info(settings.data_dir).origin == Origin(licence="CC0-1.0")
    assert [each.licence for each in versions(settings)] == ["CC0-1.0", "CC-BY-4.0", "CC-BY-4.0", None]
    assert len({bare, told, grown, other}) == 4

    without, _ = ingest(settings, photos(tmp_path / "other" / "pets2", 40))
    assert recorded_origin(settings, without).licence is None, "of another source nothing was said"
    for md5, licence in ((bare, None), (told, "CC-BY-4.0"), (other, "CC0-1.0")):
        origin = recorded_origin(settings, md5)
        assert (origin.licence, origin.name, origin.source_kind) == (licence, "pets", "folder")
        assert describe_version(settings, md5).info.get("licence") == licence
    checkout(settings, told)
    assert read_dataset_info(settings.data_dir).origin == CC


def test_a_version_that_says_no_licence_has_that_of_its_tags(settings, tmp_path):
    md5, _ = ingest(settings, photos(tmp_path / "pets", 40))
    (version,) = versions(settings)
    client(settings).set_tag(version.run_id, "licence", "CC0-1.0")
    assert recorded_origin(settings, md5).licence == "CC0-1.0"
    with run(settings, DATASETS, "again", {"dataset_md5": md5, "source": "pets"}):
        pass
    assert recorded_origin(settings, md5).licence == "CC0-1.0", "whichever ingest of the version has it"


def test_without_a_record_the_version_that_is_here_says_it(settings, tmp_path):
    settings.state_dir.mkdir(parents=True)
    ingest_dataset(settings, photos(tmp_path / "pets", 40), CONFIG, LOG, announce=False, origin=CC)
    assert recorded_origin(settings, current_md5(settings)).model_dump(exclude={"name", "source_kind"}) == (
        CC.model_dump()
    )
    assert recorded_origin(settings, "f" * 32).model_dump(exclude_none=True) == {}


def register(settings, md5, **tags):
    """A version in the registry as it is found there, without a program."""
    registry = client(settings)
    with run(settings, TRAINING, "small", {"dataset_md5": md5}) as log:
        pass
    if not registry.search_registered_models():
        registry.create_registered_model(settings.model)
    made = registry.create_model_version(settings.model, f"runs:/{log.run_id}/model", log.run_id, tags=tags)
    registry.set_model_version_tag(settings.model, str(made.version), "dataset_md5", md5)
    return find_model(settings, str(made.version))


def test_a_release_knows_whose_images_its_model_saw_or_is_refused(settings, tmp_path):
    spec = photos(tmp_path / "pets", 40)
    bare, _ = ingest(settings, spec)
    told, _ = ingest(settings, spec, CC)
    model = register(settings, told)
    assert model_origin(settings, model) == require_license(settings, model) == recorded_origin(settings, told)
    without = register(settings, bare)
    assert model_origin(settings, without).licence is None
    with pytest.raises(ReleaseError, match=f"of dataset {bare} are, on which version 2 .* leave --require-license out"):
        require_license(settings, without)
    client(settings).set_tag(next(each.run_id for each in versions(settings) if each.md5 == bare), "licence", "MIT")
    assert require_license(settings, without).licence == "MIT"
    # In a home where its ingest is not on record, a version says what was known when it was registered.
    carried = register(settings, "f" * 32, licence="CC0-1.0", credit="A. Person")
    assert require_license(settings, carried).model_dump(exclude_none=True) == {
        "licence": "CC0-1.0", "credit": "A. Person",
    }  # fmt: skip


DRIVER = """
import logging, sys
from pathlib import Path
from gan.configuration.config import DataConfig
from gan.data.origin import FIELDS, Origin
from gan.data.sources.spec import SourceSpec
from tasks.ingest.run import ingest_dataset
from tasks.runtime.settings import Settings
settings = Settings(ganflow_home=Path(sys.argv[1]), mlflow_tracking_uri=None)
print("begins", flush=True)
origin = Origin(licence="CC0-1.0", credit="other")
ingest_dataset(
    settings, SourceSpec(sys.argv[2]), DataConfig(resolution=16), logging.getLogger(), announce=False, origin=origin
)
"""


def start(settings, spec):
    command = [sys.executable, "-c", DRIVER, str(settings.home), spec.spec]
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, env=environment)


@pytest.mark.parametrize("moments", [pytest.param(1, id="1"), pytest.param(20, id="20", marks=pytest.mark.slow)])
def test_a_kill_leaves_the_old_words_or_the_new_ones(tmp_path, moments):
    spec = photos(tmp_path / "pets", 40)
    template = home(tmp_path / "template")
    old, _ = ingest(template, spec, CC)
    new_origin = CC.model_copy(update={"licence": "CC0-1.0", "credit": "other"})
    whole = home(tmp_path / "whole")
    shutil.copytree(template.home, whole.home)
    begins = time.monotonic()
    assert start(whole, spec).wait(120) == 0
    lasts = time.monotonic() - begins
    held = {old: CC, current_md5(whole): new_origin}
    assert len(held) == 2
    seen = []
    for number in range(moments):
        killed = home(tmp_path / f"killed-{number}")
        shutil.copytree(template.home, killed.home)
        process = start(killed, spec)
        process.stdout.readline()
        seen.append(random.Random(os.getpid() + number).uniform(0, lasts))  # printed where it fails
        time.sleep(seen[-1])
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        md5 = ensure_data(killed)
        assert md5 in held, seen
        assert read_dataset_info(killed.data_dir).origin == held[md5], seen


def test_the_digits_know_whose_they_are_and_a_person_may_say_otherwise(settings):
    md5, kept = ingest(settings, SourceSpec("digits"))
    origin = recorded_origin(settings, md5)
    assert (origin.licence, kept) == ("CC-BY-4.0", ())
    assert Origin(**origin.model_dump(include=set(FIELDS))).checked().credit == origin.credit
    other, kept = ingest(settings, SourceSpec("digits"), Origin(licence="LicenseRef-Mine", description=""))
    assert kept == ("source_url", "credit")
    origin = recorded_origin(settings, other)
    assert (origin.licence, origin.description) == ("LicenseRef-Mine", None)
