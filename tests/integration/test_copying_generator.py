"""A generator that has learnt 50 training images by heart: its release is quarantined, and the page shows the pairs."""

import base64
import io
import json
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from drawing_home import CLASSES, promote, register
from drilling.homes import home_with_digits
from mlflow.artifacts import download_artifacts
from PIL import Image
from prefect.client.orchestration import get_client
from prefect.testing.utilities import prefect_test_harness
from sklearn.datasets import load_digits

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import digits
from gan.data.store.shards import read_split
from gan.evaluation.evaluator import Evaluator
from gan.evaluation.gate import decide
from gan.evaluation.real import RealFeatures
from gan.generation.export import SeededGenerator
from gan.keyed_random import Purpose, normal
from gan.networks.build import build_generator
from tasks.evaluate.extraction import open_extraction, resolve_precision
from tasks.evaluate.references import dataset_version
from tasks.generate.publishing import PAGE
from tasks.releases.states import releases
from tasks.runtime.settings import Settings

pytestmark = [
    pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.usefixtures("without_onnx")
]  # fmt: skip
OF_A_CLASS = 5
STEPS, BATCH = 1500, 64
CONFIG = apply_overrides(
    digits(),
    ["release.num_images=100", "release.check_images=100", "evaluation.num_images=100", "evaluation.copy_images=100"],
)


@pytest.fixture(scope="module", autouse=True)
def server():
    with prefect_test_harness(server_startup_timeout=120):
        yield


def by_heart(images, labels):
    """Train a generator to draw 50 images: which of its class's five one is follows from the latent."""
    rows = np.concatenate([np.flatnonzero(labels == label)[:OF_A_CLASS] for label in range(len(CLASSES))])
    learnt = torch.from_numpy(images[rows]).permute(0, 3, 1, 2) / 127.5 - 1
    torch.manual_seed(0)
    G = build_generator(CONFIG.network, channels=1, num_classes=len(CLASSES))
    optimizer = torch.optim.Adam(G.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for seeds in torch.arange(STEPS * BATCH).split(BATCH):
        wanted = seeds % len(CLASSES)
        z = normal(seeds, Purpose.LATENT, CONFIG.network.latent_dim)
        goal = learnt[wanted * OF_A_CLASS + z[:, :OF_A_CLASS].argmax(dim=1)]
        optimizer.zero_grad()
        (G(z, wanted) - goal).abs().mean().backward()
        optimizer.step()
        schedule.step()
    return SeededGenerator(G)


def evaluated(settings, md5, generator):
    config = resolve_precision(settings, CONFIG.evaluation)
    real = dataset_version(settings, md5, CLASSES)
    features = RealFeatures(real, open_extraction(settings, config), settings.cache_dir, config.seed)
    return Evaluator(config, real=real, features=features).evaluate(generator).evaluation


def pictures(page):
    """The pairs of a page: what was generated, and the training image beside it."""
    found = re.findall(r'<li><img src="data:image/png;base64,([^"]+)" alt="generated"> <img src="[^,]+,([^"]+)"', page)
    return [[np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))).astype(int) for png in pair] for pair in found]


def quarantined():
    with get_client(sync_client=True) as opened:
        wanted = {"filter": {"event": {"name": ["release.quarantined", "release.published"]}}}
        return [each["event"] for each in opened.request("POST", "/events/filter", json=wanted).json()["events"]]


def home_with_few_digits(ganflow, folder):
    """Eight digits of each class, of which 17 are held out: too few to tell copies by."""
    found, labels = load_digits(return_X_y=True)
    for label in range(len(CLASSES)):
        (folder / CLASSES[label]).mkdir(parents=True)
        for row in np.flatnonzero(labels == label)[:8]:
            wide = np.kron(found[row].reshape(8, 8), np.ones((2, 2))) * 16
            Image.fromarray(np.minimum(wide, 255).astype(np.uint8)).save(folder / CLASSES[label] / f"{row}.png")
    status, out, err = ganflow("ingest", str(folder), "--json")
    assert status == 0, err
    return json.loads(out)["md5"]


@pytest.mark.parametrize("held_out", [362, 17])
def test_a_generator_that_learnt_its_images_by_heart_publishes_nothing(ganflow, tmp_path, held_out):
    few = held_out == 17
    md5 = home_with_few_digits(ganflow, tmp_path / "few") if few else home_with_digits(tmp_path / "home", tmp_path)
    settings = Settings(ganflow_home=tmp_path / "home", mlflow_tracking_uri=None)
    images, labels = (np.concatenate(parts) for parts in zip(*read_split(settings.data_dir, "train"), strict=True))
    generator = by_heart(images, labels)
    evaluation = evaluated(settings, md5, generator)
    assert evaluation.protocol.num_holdout == held_out
    against = {look.check for look in decide(evaluation, None).reasons if not look.passed}
    assert "pixel_copies" in against
    assert few == ("pixel_nearer" in against)
    register(settings, md5, generator, CONFIG, evaluation)
    promote(settings, 1)

    status, out, err = ganflow("generate", "--json")
    assert (status, out) == (1, "")
    assert re.search(r"^ganflow: release v1-001 is not fit to be handed on and lies in .*cop", err, re.MULTILINE)
    assert not list(settings.synthetic_dir.glob("*"))
    (record,) = releases(settings)
    assert (record.name, str(record.state), record.md5) == ("v1-001", "quarantined", None)
    assert "cop" in record.reason
    folder = settings.state_dir / "quarantine" / "v1-001"
    checks = {each["check"]: each["passed"] for each in json.loads((folder / "manifest.json").read_text())["checks"]}
    assert not checks["copies of training images"]
    page = Path(download_artifacts(f"runs:/{record.run_id}/{PAGE}", tracking_uri=settings.tracking_uri)).read_text()
    assert "is in quarantine" in page
    apart = [np.abs(ours - theirs).mean() for ours, theirs in pictures(page)]
    assert len(apart) == 12
    strangers = np.abs(images[:100, None].astype(int) - images[None, :400]).mean(axis=(2, 3, 4))
    strangers = np.where(strangers > 0, strangers, np.inf).min(axis=1)
    assert max(apart) < np.median(strangers), "nearer than training images are to each other"
    deadline = time.monotonic() + 60
    while not (found := quarantined()) and time.monotonic() < deadline:
        time.sleep(0.25)
    assert found == ["release.quarantined"]
