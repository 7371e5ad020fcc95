"""A training run of milliseconds, evaluations with the scores that a test asks for, real digits, and copyists."""

import importlib.util
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits

from gan.configuration.config import Config, DataConfig, NetworkConfig, TrainConfig
from gan.metrics.evaluation import Evaluation, Metric, metric_key
from gan.metrics.protocol import Protocol
from gan.networks.efficientnet import PACKAGE
from gan.training.context import LocalContext
from gan.training.header import Header
from gan.training.loop import run_training

CPU = torch.device("cpu")
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (11, 8, 8, 1), dtype=np.uint8), RNG.integers(0, 3, 11)


class KilledError(Exception):
    """Stands for a kill."""


class Tiny:
    """Runs of 48 images of 8x8 pixels in steps of 8, with a checkpoint after each step."""

    images = IMAGES
    labels = LABELS
    killed = KilledError

    def config(self, *, train=None, network=None, **sections):
        settings = {"total_kimg": 0.048, "batch_size": 8, "flip": True, "checkpoint_kimg": 0.008, "log_kimg": 0.016}
        r3gan = {"widths": (8, 8), "latent_dim": 4, "embedding_dim": 4, "group_width": 8, "expansion": 1}
        return Config(
            data=DataConfig(resolution=8),
            network=NetworkConfig(**network or r3gan),
            train=TrainConfig(**settings | {"precision": "fp32"} | (train or {})),
            **sections,
        )

    def header(self, config):
        return Header(
            config=config.model_dump(mode="json"),
            training_hash=config.training_hash(),
            dataset_md5="abc",
            channels=1,
            num_classes=3,
            class_names=("a", "b", "c"),
        )

    def run(self, folder, config=None, *, stop_at=None, records=None, header=None, start_from=None):
        """Train; `stop_at`: the run is killed by the first record of that image or a later one."""

        def watch(progress):
            if records is not None:
                records.append(progress)
            if stop_at is not None and progress.cur_nimg >= stop_at:
                raise KilledError

        config = config or self.config()
        context = LocalContext(folder, watch, CPU)
        carried = replace(self.header(config), **header or {})
        return run_training(config, IMAGES, LABELS, context, carried, start_from)

    def last(self, folder):
        return max(folder.glob("checkpoint-*"))


@pytest.fixture(scope="session")
def tiny():
    return Tiny()


@pytest.fixture(scope="session")
def few_shot_extra():
    """Skip what needs the weights of the extra `few-shot` where it is not installed."""
    if importlib.util.find_spec(PACKAGE) is None:
        pytest.skip("the extra few-shot is not installed")


@pytest.fixture
def protocol():
    """Make a protocol with so many generated and reference images, and other fields."""

    def of(generated=10_000, reference=10_000, **others):
        fields = {"reference_split": "train", "resize": "tf1", "network": "n", "network_sha256": "s"}
        fields |= {"precision": "fp32", "dataset_md5": "d", "seed": 0, "num_generated": generated, "num_holdout": 500}
        return Protocol(**fields | {"num_reference": reference} | others)

    return of


@pytest.fixture
def scored():
    """Make an evaluation with these two scores, of images that are no copies."""

    def of(fid_value, kid_value, under):
        count = under.num_generated
        scores = {metric_key("fid", count): Metric(value=fid_value), metric_key("kid", count): Metric(value=kid_value)}
        looked_at = {metric_key("copies", count): Metric(value=0.0, low=0.0, high=0.01)}
        held_out = {metric_key("copies", under.num_holdout): Metric(value=0.0)}
        return Evaluation(protocol=under, metrics=scores | looked_at, baseline=held_out)

    return of


def digit_images() -> tuple[np.ndarray, np.ndarray]:
    """1,797 real digits [N, 16, 16, 1] uint8 and their labels."""
    images, labels = load_digits(return_X_y=True)
    wide = np.kron(images.reshape(-1, 8, 8), np.ones((1, 2, 2)))
    return np.minimum(wide * 16, 255).astype(np.uint8)[..., None], labels.astype(np.int64)


def shift(images: np.ndarray) -> np.ndarray:
    return np.pad(images, ((0, 0), (1, 0), (0, 1), (0, 0)), mode="edge")[:, :-1, 1:]


def recompress(images: np.ndarray) -> np.ndarray:
    copies = []
    for image in images:
        file = io.BytesIO()
        Image.fromarray(image.squeeze()).save(file, "JPEG", quality=90)
        copies.append(np.asarray(Image.open(file)).reshape(image.shape))
    return np.stack(copies)


def add_noise(images: np.ndarray) -> np.ndarray:
    return (images + np.random.default_rng(5).normal(0, 3, images.shape)).clip(0, 255).round().astype(np.uint8)


@pytest.fixture(scope="session")
def digits() -> tuple[np.ndarray, np.ndarray]:
    return digit_images()


@pytest.fixture(scope="session")
def alterations() -> dict:
    return {
        "shifted": shift,
        "recompressed": recompress,
        "noised": add_noise,
        "brighter": lambda images: (images.astype(int) + 8).clip(0, 255).astype(np.uint8),
        "shifted and recompressed": lambda images: recompress(shift(images)),
    }
