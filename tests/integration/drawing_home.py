"""A home with small generators of digits: registered as the pipeline does it, and never trained."""

import json
from pathlib import Path

import torch
from drilling.homes import home_with_digits

from gan.configuration.config import Config
from gan.configuration.presets import debug
from gan.data.store.shards import read_column
from gan.generation.export import SeededGenerator
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.networks.build import build_generator
from tasks.champion.changing import Wish, promote_whatever
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, run
from tasks.tracking.registry import register_version
from tasks.tracking.versions import RegisteredModel
from tasks.train.step import TRAINING_DIGESTS

CLASSES = tuple(map(str, range(10)))


def random_generator(seed: int) -> SeededGenerator:
    """A generator of digits' size whose images differ, and are like nothing."""
    torch.manual_seed(seed)
    G = build_generator(debug().network, channels=1, num_classes=len(CLASSES))
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return SeededGenerator(G)


def evaluation_of(md5: str) -> Evaluation:
    """What is written in the manifest of each release."""
    protocol = Protocol(
        num_generated=1000, num_reference=900, reference_split="train", resize="tf1", network="inception",
        network_sha256="s", precision="fp32", dataset_md5=md5, seed=0,
    )  # fmt: skip
    return Evaluation(protocol=protocol, metrics={"kid1k": Metric(value=0.01)})


def register(
    settings: Settings, md5: str, generator: SeededGenerator, config: Config, evaluation: Evaluation
) -> RegisteredModel:
    """Register a generator as if it had been trained on this home's dataset."""
    tags = {"dataset_md5": md5, "preset": config.preset, "class_names": json.dumps(CLASSES)}
    with run(settings, TRAINING, "small", tags) as log:
        log.params(config)
        log.text(evaluation.model_dump_json(), "evaluation.json")
        log.text("\n".join(read_column(settings.data_dir, "train", "sha256")), TRAINING_DIGESTS)
        tree = config.model_dump(mode="json")
        return register_version(settings, log, generator, checkpoint=log.run_id, config=tree, tags=tags, card="#")


def promote(settings: Settings, version: int) -> None:
    """Make a version the champion, as a person may."""
    promote_whatever(settings, version, Wish("for the test", f"version {version}"))


def home_with_versions(folder: Path, work: Path, count: int) -> Settings:
    """Make a home with the digits and versions, of which the first is champion; `work`: for what lies between."""
    md5 = home_with_digits(folder, work)
    settings = Settings(ganflow_home=folder, mlflow_tracking_uri=None)
    for seed in range(count):
        register(settings, md5, random_generator(seed), debug(), evaluation_of(md5))
    promote(settings, 1)
    return settings
