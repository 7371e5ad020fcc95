"""A small exported generator and a release of it, for tests in this process and in others that are killed.

`python -m releasing HOME PROGRAM IMAGES SHARD FORMAT` draws one.
"""

import sys
from pathlib import Path

import torch

from gan.configuration.config import NetworkConfig, ReleaseConfig
from gan.generation.export import SeededGenerator, export_program
from gan.generation.program_file import load_program_bytes
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.networks.build import build_generator
from gan.release.checks import ReleaseLook
from tasks.generate.judging import Judgement
from tasks.generate.manifest import EXACT_COPIES
from tasks.generate.partial import forget_partial
from tasks.generate.release import build_release
from tasks.generate.selecting import Selecting
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel

CLASSES = ("zero", "one / eins", "zwei")
MODEL = RegisteredModel(3, "r77", "0" * 32, CLASSES, "gan-generator")
PROTOCOL = Protocol(
    num_generated=1000, num_reference=900, reference_split="train", resize="tf1", network="inception",
    network_sha256="s", precision="bf16", dataset_md5="0" * 32, seed=0,
)  # fmt: skip


def small_program() -> bytes:
    """The file of a generator of 8x8 RGB images."""
    import io

    torch.manual_seed(0)
    network = NetworkConfig(widths=(16, 16), latent_dim=8, embedding_dim=4, group_width=4, expansion=1)
    G = build_generator(network, channels=3, num_classes=len(CLASSES))
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    file = io.BytesIO()
    torch.export.save(export_program(SeededGenerator(G)), file)
    return file.getvalue()


class Chosen:
    """A judge that chooses images and finds nothing."""

    def __init__(self, selection):
        self.selecting = Selecting(selection)

    def __call__(self, filling, quotas):
        return Judgement(ReleaseLook(checks=()), {EXACT_COPIES: filling.exact_copies})

    def keep(self, filling):
        """Later releases are compared with nothing."""


def release(home: Path, program: bytes, **others):
    """Build the release `r`, with settings of `ReleaseConfig` and arguments of `build_release`."""
    ours = {"name": "r", "training_digests": (), "configuration": "of version 3"}
    given = {key: others.pop(key) for key in ("drawer", "quotas", "on_progress") if key in others}
    if "selection" in others:
        given["judge"] = Chosen(others.pop("selection"))
    settings = Settings(ganflow_home=home)
    made = build_release(
        settings,
        MODEL,
        load_program_bytes(program, "the program"),
        ReleaseConfig(**others),
        evaluation=Evaluation(protocol=PROTOCOL, metrics={"kid1k": Metric(value=0.01)}),
        **ours,
        **given,
    )
    forget_partial(settings, made.folder.name)  # as one that is recorded
    return made


if __name__ == "__main__":
    home, program, images, shard, form = sys.argv[1:]
    release(
        Path(home),
        Path(program).read_bytes(),
        num_images=int(images),
        batch_size=32,
        shard_images=int(shard),
        format=form,
    )
