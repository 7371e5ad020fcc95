"""From an image of a release back to the dataset and forward again, on a real MLflow (SQLite) and a real DVC."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image as Picture

from gan.configuration.config import NetworkConfig, ReleaseConfig
from gan.configuration.presets import debug
from gan.data.store.shards import read_column, read_split, write_shards
from gan.errors import InputError
from gan.generation.export import SeededGenerator
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.networks.build import build_generator
from tasks.champion.changing import Wish, promote_whatever
from tasks.dataset.repository import track_release, version_dataset
from tasks.generate.publishing import log_release
from tasks.generate.release import build_release
from tasks.lineage.find import find_lineage
from tasks.lineage.gather import Gathering
from tasks.lineage.lines import lineage_lines
from tasks.lineage.sources import Sources
from tasks.runtime.settings import Settings
from tasks.tracking.client import DATASETS, EVALUATIONS, TRAINING, RunLog, client, run
from tasks.tracking.past import PastRun, PastVersion, past_run, past_runs, past_versions
from tasks.tracking.registry import load_program, register_version

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
CLASSES = ("zero", "one", "two\x1b[2J")


def small_generator(seed):
    torch.manual_seed(seed)
    network = NetworkConfig(widths=(8,), latent_dim=4, embedding_dim=2, group_width=4, expansion=1, patch=2)
    G = build_generator(network, channels=3, num_classes=3)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return SeededGenerator(G)


def ingest(settings, grey, tags):
    folder = settings.state_dir / "staged"
    folder.mkdir(parents=True)
    images = np.full((3, 8, 8, 3), grey, np.uint8)
    for split in ("train", "test"):
        write_shards(folder, split, images, [0, 1, 2], class_names=CLASSES)
    (folder / "dataset.json").write_text("{}")
    md5 = version_dataset(settings, folder).md5
    with run(settings, DATASETS, md5[:12], {"dataset_md5": md5, **tags}) as log:
        log.metrics({"num_train": 3, "num_test": 3}, step=0)
    return md5


def evaluation_of(md5):
    protocol = Protocol(
        num_generated=4, num_reference=4, reference_split="train", resize="tf1", network="n", network_sha256="s",
        precision="fp32", dataset_md5=md5, seed=0,
    )  # fmt: skip
    return Evaluation(protocol=protocol, metrics={"kid4": Metric(value=0.25)})


def train(settings, md5, seed, **tags):
    """A training run with its evaluation and its version."""
    with run(settings, TRAINING, "small", {"dataset_md5": md5, "preset": "debug", **tags}) as log:
        log.params(debug())
    with run(settings, EVALUATIONS, "run", {"dataset_md5": md5, "training run": log.run_id}) as measured:
        measured.metrics({"kid4": 0.25, "recall4": 1.0}, step=0)
    log.tags({"evaluation_run": measured.run_id, "verdict": "champion: there is none"})
    facts = {"dataset_md5": md5, "class_names": json.dumps(CLASSES)}
    return register_version(
        settings, log, small_generator(seed), checkpoint=str(seed), config={}, tags=facts, card="# card"
    )


def release(settings, model, name):
    made = build_release(
        settings,
        model,
        load_program(settings, model),
        ReleaseConfig(num_images=6, batch_size=3),
        name=name,
        evaluation=evaluation_of(model.dataset_md5),
        training_digests=(),
        configuration="of version 1",
    )
    log_release(settings, model, made, track_release(settings, made.folder)[0])
    return made.folder


class Home:
    """Two datasets; a version of the first with two releases, and one that began with it, of the second dataset."""

    def __init__(self, path):
        self.settings = Settings(ganflow_home=path, mlflow_tracking_uri=None)
        self.first = ingest(self.settings, 10, {"source": "photos | of *cats*", "licence": "CC0-1.0"})
        self.one = train(self.settings, self.first, 1)
        promote_whatever(self.settings, self.one.version, Wish("for the test", "for the test"))
        self.folder = release(self.settings, self.one, "v1-001")
        release(self.settings, self.one, "deploy")
        self.second = ingest(self.settings, 20, {"source": "more"})
        began = {"version": 1, "run_id": self.one.run_id, "dataset_md5": self.first}
        self.two = train(self.settings, self.second, 2, warm_start=json.dumps(began))
        release(self.settings, self.two, "v2-001")

    def find(self, asked):
        return find_lineage(self.settings, asked)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("home"))


def named(lineage):
    return {
        "datasets": [each.md5 for each in lineage.datasets],
        "trainings": [each.run_id for each in lineage.trainings],
        "versions": [each.version for each in lineage.versions],
        "releases": sorted(each.name for each in lineage.releases),
    }


def test_from_an_image_back_to_its_dataset_and_forward_again(home, tmp_path):
    images, labels = next(read_split(home.folder, "train"))
    file = tmp_path / "found on the web.png"
    Picture.fromarray(images[5]).save(file)
    back = home.find(str(file))
    assert named(back) == {
        "datasets": [home.first], "trainings": [home.one.run_id], "versions": [1], "releases": ["v1-001"],
    }  # fmt: skip
    (image,) = back.images
    assert (image.release, image.row, image.label, image.class_name) == ("v1-001", 5, labels[5], CLASSES[labels[5]])
    assert back.kind == "image"
    assert home.find("v1-001#5").images == home.find(f"v1-001:{image.seed}").images == back.images
    (dataset,) = back.datasets
    assert (dataset.source, dataset.licence, dataset.num_train) == ("photos | of *cats*", "CC0-1.0", 3)

    forward = home.find(dataset.md5)
    everything = {
        "datasets": [home.first, home.second],
        "trainings": [home.one.run_id, home.two.run_id],
        "versions": [1, 2],
        "releases": ["deploy", "v1-001", "v2-001"],
    }
    assert named(forward) == everything, "what began with a version stems from its dataset, too"
    assert named(home.find(home.one.run_id)) == everything
    assert named(home.find("champion")) == named(home.find("1")) == everything


def test_what_was_made_from_a_warm_start_leads_back_to_both_datasets(home):
    found = home.find("v2-001")
    assert named(found) == {
        "datasets": [home.second, home.first],
        "trainings": [home.two.run_id, home.one.run_id],
        "versions": [1, 2],
        "releases": ["v2-001"],
    }
    assert found.trainings[0].began_with == 1
    assert named(home.find(home.second))["releases"] == ["v2-001"]


def test_a_chain_of_warm_starts_may_be_as_long_as_it_wants(tmp_path):
    """As of daily retraining: here versions that began with each other, of runs that are gone but the last."""
    settings = Settings(ganflow_home=tmp_path, mlflow_tracking_uri=None)
    md5, length = "d" * 32, 3 * sys.getrecursionlimit()
    runs = {
        f"{index:032x}": PastRun(
            run_id=f"{index:032x}", experiment=TRAINING, status="FINISHED", started=index, params={}, metrics={},
            tags={
                "dataset_md5": md5,
                "warm_start": json.dumps({"version": index, "run_id": f"{index - 1:032x}", "dataset_md5": md5}),
            },
        )
        for index in range(1, length)
    }  # fmt: skip
    sources = Sources(settings)
    sources.versions = {
        index + 1: PastVersion(version=index + 1, run_id=run_id, aliases=(), tags={})
        for index, run_id in enumerate(runs, 1)
    }
    sources._runs = dict(runs)
    sources.begun_with = {(int(run_id, 16), f"{int(run_id, 16) - 1:032x}"): [run] for run_id, run in runs.items()}
    sources.reproductions = {}
    sources.evaluations = lambda run_id: []
    back, forward = Gathering(sources), Gathering(sources)
    back.follow_training(f"{length - 1:032x}")
    forward.follow_training(f"{1:032x}")
    assert len(back.lineage("x", "run", "x").trainings) == length
    assert len(forward.lineage("x", "run", "x").trainings) == length


def test_the_records_say_what_mlflow_and_the_manifests_say(home):
    found = home.find("v1-001")
    (release,), (version,), (training,) = found.releases, found.versions, found.trainings
    manifest = json.loads((home.folder / "manifest.json").read_text())
    assert (release.num_images, release.first_seed) == (6, manifest["generation"]["first_seed"])
    assert release.here
    assert release.md5 in (home.settings.synthetic_dir / "v1-001.dvc").read_text()
    assert version.aliases == ("champion",)
    assert version.verdict == "champion: there is none"
    assert (training.status, training.preset, training.seed) == ("FINISHED", "debug", str(debug().train.seed))
    (evaluated,) = found.evaluations
    assert (evaluated.decided, evaluated.scores) == (True, {"kid4": 0.25})
    lines = "\n".join(lineage_lines(found))
    assert f"again: ganflow generate --model 1 --name v1-001 --seed {release.first_seed} -n 6" in lines
    assert f"again: ganflow dataset checkout {home.first}" in lines


@pytest.mark.parametrize("which", ["beginning", "ingest", "evaluation", "release"])
def test_other_names_lead_to_the_same(home, which):
    whole = home.find("v1-001")
    asked, same = {
        "beginning": (home.first[:6], home.first),
        "ingest": (whole.datasets[0].ingest_run, home.first),
        "evaluation": (whole.evaluations[0].run_id, home.one.run_id),
        "release": (whole.releases[0].run_id, "v1-001"),
    }[which]
    assert home.find(asked).model_copy(update={"asked": same}) == home.find(same)


def test_a_word_that_may_mean_two_things_is_asked_back(home):
    release(home.settings, home.one, "2")
    with pytest.raises(InputError, match=r"«2» may be version/2, release/2: give one of these"):
        home.find("2")
    assert home.find("version/2").kind == "version"
    assert [each.name for each in home.find("release/2").releases] == ["2"]


@pytest.mark.parametrize("asked", ["", "nothing", "0" * 32, "' or 1=1 --", "../../etc", "v1-001#x", "99", "x\0y", "%"])
def test_what_is_on_no_record_is_one_sentence(home, asked):
    with pytest.raises(InputError, match=r"nothing on record in .* is called «"):
        home.find(asked)


def test_no_text_of_a_tag_gets_into_a_question_to_mlflow(home):
    for odd in ("' or tags.preset = 'debug", "%", "", "a" * 101):
        assert list(past_runs(home.settings, TRAINING, {"dataset_md5": odd})) == []
        assert past_run(home.settings, odd) is None
    assert list(past_runs(home.settings, TRAINING, begins="%")) == []
    assert list(past_runs(home.settings, "no experiment")) == []
    assert past_versions(home.settings, "no model") == []


def test_an_image_of_no_release_is_said_to_be_of_none(home, tmp_path):
    Picture.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    with pytest.raises(InputError, match=r"of none of the [0-9] releases"):
        home.find(str(tmp_path / "red.png"))


def test_what_is_gone_is_unknown_and_what_is_left_still_leads_back(home):
    three = train(home.settings, home.second, 3)
    release(home.settings, three, "v3-001")
    registry = client(home.settings)
    registry.delete_registered_model_alias("gan-generator", "challenger")
    registry.delete_model_version("gan-generator", "3")
    registry.delete_run(three.run_id)
    experiment = registry.get_run(three.run_id).info
    assert experiment.lifecycle_stage == "deleted"
    found = home.find("v3-001")
    assert [each.registered for each in found.versions] == [False]
    assert [each.md5 for each in found.datasets] == [home.second]
    RunLog(registry, found.releases[0].run_id).tags({"state": "withdrawn"})
    assert "state withdrawn" in "\n".join(lineage_lines(home.find("v3-001")))


def test_the_verb(home, ganflow, monkeypatch):
    monkeypatch.setenv("GANFLOW_HOME", str(home.settings.home))
    status, output, _ = ganflow("lineage", "v1-001#5", "--json")
    assert status == 0
    assert json.loads(output) == home.find("v1-001#5").model_dump(mode="json")
    row = read_column(home.folder, "train", "label").index(2)
    status, output, _ = ganflow("lineage", f"v1-001#{row}")
    assert output.replace("\n", "").isprintable()
    assert "two\\x1b[2J" in output
    status, output, told = ganflow("lineage", "nothing")
    assert (status, output) == (2, "")
    assert told.count("\n") == 1
