"""Good models: a checkpoint folder, an exported program, and what the registry says of them."""

import io
import tempfile
import zipfile
from functools import cache
from pathlib import Path

import torch
import yaml

from fuzzing.records import MD5, contents
from gan.configuration.config import Config, DataConfig, NetworkConfig
from gan.generation.export import SeededGenerator, export_program
from gan.generation.program_file import forget_places
from gan.networks.build import build_generator
from gan.training.checkpoint import save_checkpoint
from gan.training.header import Header, WarmStartRecord

NETWORK = {"widths": (8, 8), "latent_dim": 4, "embedding_dim": 4, "group_width": 8, "expansion": 1}
CONFIG = Config(data=DataConfig(resolution=8), network=NetworkConfig(**NETWORK))
HEADER = Header(
    config=CONFIG.model_dump(mode="json"),
    training_hash=CONFIG.training_hash(),
    dataset_md5=MD5,
    channels=1,
    num_classes=3,
    class_names=("a", "b", "c"),
    warm_start=WarmStartRecord(version=2, run_id="r76", dataset_md5=MD5),
    cur_nimg=48,
    choice={"bf16": False, "compiled": False},
)
GRAPH = "models/model.json"


def generator():
    torch.manual_seed(0)
    return build_generator(CONFIG.network, channels=1, num_classes=3)


@cache
def checkpoint():
    """The files of a checkpoint folder."""
    with tempfile.TemporaryDirectory() as top:
        save_checkpoint(Path(top), HEADER, {"G_ema": generator().state_dict()})
        return contents(Path(top))


@cache
def program():
    """The bytes of an exported program."""
    with tempfile.TemporaryDirectory() as top:
        file = Path(top, "model.pt2")
        torch.export.save(export_program(SeededGenerator(generator())), file)
        forget_places(file)
        return file.read_bytes()


def members(archive):
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {each.filename: opened.read(each) for each in opened.infolist()}


def archive(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return out.getvalue()


def script():
    """A TorchScript network as `--network` takes one."""

    class Means(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=(2, 3))

    out = io.BytesIO()
    torch.jit.save(torch.jit.trace(Means(), torch.zeros(2, 3, 8, 8)), out)
    return out.getvalue()


def mlmodel():
    """What MLflow writes beside a registered program, as far as ganflow reads it."""
    facts = {
        "artifact_path": "generator",
        "flavors": {"pytorch": {"model_data": "data", "serialization_format": "pt2"}},
        "metadata": {"program_format_version": 1, "config": CONFIG.model_dump(mode="json")},
        "model_uuid": "m-1",
        "run_id": "r77",
        "utc_time_created": "2026-01-01 00:00:00.000000",
    }
    return yaml.safe_dump(facts).encode()
