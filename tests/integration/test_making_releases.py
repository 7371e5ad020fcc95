"""Releases made of a real registry: truncated ones, which `verify` draws again, and those held against real images."""

import json
import logging

import numpy as np
import pytest
import torch

from gan.configuration.config import DataConfig, NetworkConfig, ReleaseConfig
from gan.configuration.presets import debug
from gan.configuration.provenance import Configuration
from gan.data.store.resident_cache import DecodedSplit, write_version
from gan.data.store.shards import read_split
from gan.errors import DatasetError, TruncationError
from gan.generation.export import SeededGenerator
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.inception import NETWORK as NAME
from gan.metrics.protocol import Protocol
from gan.metrics.weights import INCEPTION_SHA256
from gan.networks.build import build_generator
from gan.release.realism import UNREALISTIC
from tasks.generate.making import Wanted, make_release
from tasks.generate.manifest import write_manifest
from tasks.generate.partial import forget_partial
from tasks.generate.publishing import log_release, page_of
from tasks.generate.samples import write_samples
from tasks.lineage.sources import Sources
from tasks.runtime.progress import progress
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, run
from tasks.tracking.registry import load_program, register_version
from tasks.train.step import TRAINING_DIGESTS
from tasks.verify.verify import verify

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("without_onnx")]
HALF = "release.truncation=0.5"
NETWORK = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
RELEASE = ReleaseConfig(
    num_images=40, batch_size=8, shard_images=15, reject_copies=False, reject_duplicates=False, check_images=0
)
CONFIG = debug().model_copy(update={"data": DataConfig(resolution=8), "network": NETWORK, "release": RELEASE})
PROTOCOL = Protocol(
    num_generated=4, num_reference=30, reference_split="train", resize="tf1", network=NAME,
    network_sha256=INCEPTION_SHA256, precision="fp32", dataset_md5="0" * 32, seed=0, neighbours=5,
)  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(ganflow_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None)


def registered(settings, config):
    tags = {"dataset_md5": "0" * 32, "class_names": json.dumps(["a", "b", "c"])}
    torch.manual_seed(0)
    G = build_generator(NETWORK, channels=1, num_classes=3)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    with run(settings, TRAINING, "small", tags) as log:
        log.text(
            Evaluation(protocol=PROTOCOL, metrics={"kid4": Metric(value=0.1)}).model_dump_json(), "evaluation.json"
        )
        log.text("0" * 64, TRAINING_DIGESTS)
        tree = config.model_dump(mode="json")
        return register_version(
            settings, log, SeededGenerator(G), checkpoint="c", config=tree, tags=tags, card="# card"
        )


@pytest.fixture(scope="module")
def version(settings, without_onnx):
    return registered(settings, CONFIG)


def made(settings, version, name, *changes, workers=None):
    own = Configuration(origin="version", name="1", config=CONFIG)
    wanted = Wanted(name, own.changed(*changes), seed=7, workers=workers)
    with progress("generating", 0, logging.getLogger()) as reporter:
        release = make_release(settings, version, wanted, reporter, pytest.fail)
    forget_partial(settings, name)  # as one that is recorded
    return release


def images_of(release):
    return np.concatenate([images for images, _ in read_split(release.folder, "train")])


@pytest.mark.slow
def test_a_truncated_one_is_drawn_again_by_whoever_verifies_it(settings, version, tmp_path):
    release, plain = made(settings, version, "r", HALF), made(settings, version, "plain")
    assert release.manifest["generation"]["truncation"] == 0.5
    whole, near = (images_of(each).astype(float) for each in (plain, release))
    labels = np.concatenate([labels for _, labels in read_split(plain.folder, "train")])
    for label in range(3):
        assert near[labels == label].std(axis=0).mean() < 0.8 * whole[labels == label].std(axis=0).mean()
    found = verify(settings, release.folder)
    assert (found.problems, found.regenerated) == ((), 40)
    assert found.equal == 40
    assert verify(settings, plain.folder).problems == ()

    log_release(settings, version, release, None)
    (one,) = [each for each in Sources(settings)._releases() if each.name == "r"]
    assert one.truncation == 0.5
    assert one.again.endswith("--seed 7 -n 40 --truncation 0.5")
    assert write_samples(settings, "1", tmp_path / "one.png", label=0, count=1, seed=7, psi=0.5) == 1

    generation = {key: value for key, value in release.manifest["generation"].items() if key != "truncation"}
    write_manifest(release.folder, release.manifest | {"generation": generation})
    assert {problem.kind for problem in verify(settings, release.folder).problems} == {"generator"}


@pytest.mark.slow
def test_workers_truncate_the_same(settings, version):
    alone, together = made(settings, version, "alone", HALF), made(settings, version, "together", HALF, workers=2)
    assert [images.tobytes() for images in images_of(alone)] == [images.tobytes() for images in images_of(together)]


@pytest.mark.slow
def test_a_version_whose_configuration_is_of_another_network_is_not_truncated(tmp_path):
    settings = Settings(ganflow_home=tmp_path, mlflow_tracking_uri=None)
    other = CONFIG.model_copy(update={"network": NETWORK.model_copy(update={"latent_dim": 5})})
    version = registered(settings, other)
    with pytest.raises(TruncationError, match="gan-generator version 1 cannot be truncated"):
        made(settings, version, "r", HALF)
    assert not (settings.synthetic_dir / "r").exists()


@pytest.mark.slow
def test_images_unlike_real_ones_are_drawn_again_and_what_that_cost_is_told(settings, version):
    asked = ("release.min_realism=0.95", "release.check_images=24", "release.num_images=24")
    with pytest.raises(DatasetError, match=r"release\.min_realism is 0\.95, which asks for real images: "):
        made(settings, version, "held", *asked)
    labels = np.arange(40) % 3
    rows = torch.from_numpy(np.stack([np.arange(40), labels], axis=1))
    images = load_program(settings, version)(rows).numpy()
    parts = {"train": slice(30), "test": slice(30, 40)}
    split = {name: DecodedSplit(images[part].shape, [(images[part], labels[part])]) for name, part in parts.items()}
    write_version(settings.resident_dir, "0" * 32, split)

    release = made(settings, version, "held", *asked)
    selection = release.manifest["selection"]
    assert 0 < selection["realism"]["holdout_share"] < 1
    assert selection["realism"]["network_sha256"] == INCEPTION_SHA256
    assert sum(selection["rejected"][UNREALISTIC].values()) == selection["asked"] - 24 > 0
    assert selection["coverage_lost"]["num_images"] == 24
    card = (release.folder / "README.md").read_text()
    assert f"| {UNREALISTIC} |" in card
    assert "| coverage |" in card
    assert UNREALISTIC in page_of(release)
    assert verify(settings, release.folder).problems == ()
    assert made(settings, version, "held", *asked, "release.check_images=0").existed
