"""How long a checkpoint holds the training loop up, against a plain `torch.save` of the same tensors.

A worker of Ray Train, as `ganflow train` starts it, saves checkpoints of a preset's networks and optimizers into a
storage on this disk: the loop waits for the copy to host memory and for Ray's word to all ranks, and the rest happens
beside it. In turn it saves the same tensors by `torch.save` to the same disk. Claim: the loop is held up no longer
than 1.2 times a plain `torch.save`.

  python benchmarks/checkpoint.py                       # presets digits, cifar10 and r3gan-32, ten rounds each
  python benchmarks/checkpoint.py --preset digits --rounds 3

The last line is one JSON object: medians in milliseconds by preset, and the median and range of the ratio by round.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from gan.configuration.config import Config
from gan.configuration.presets import preset
from gan.training.choice import Choice
from gan.training.header import Header
from gan.training.state import TrainingState
from tasks.runtime.ray_cluster import ray_cluster
from tasks.runtime.settings import Settings

CLASSES = 10


def header_of(config: Config) -> Header:
    """What the checkpoints carry."""
    names = tuple(str(label) for label in range(CLASSES))
    tree = config.model_dump(mode="json")
    return Header(tree, config.training_hash(), "0" * 32, 3, CLASSES * config.network.conditional, names)


def with_moments(state: TrainingState) -> TrainingState:
    """Give the optimizers the moments that they have after a step."""
    for name in ("G", "D"):
        for parameter in getattr(state.nets, name).parameters():
            parameter.grad = torch.zeros_like(parameter)
        getattr(state.nets, f"{name}_optimizer").step()
    state.choice = Choice(bf16=False, compiled=False, rates={})
    return state


def in_worker(arguments: dict[str, Any]) -> dict[str, Any]:
    """Save by turns, and return the milliseconds of each round."""
    from tasks.train.worker import RayContext

    config = Config.model_validate(arguments["config"])
    torch.set_num_threads(arguments["threads"])
    with tempfile.TemporaryDirectory(dir=arguments["folder"]) as scratch:
        context = RayContext(arguments["channel"], arguments["storage"], Path(scratch), watched=False)
        state = with_moments(TrainingState(config, context, header_of(config)))
        tensors = {name: part.state_dict() for name, part in state._parts().items()}
        plain, held_up, in_all = [], [], []
        for number in range(arguments["rounds"] + 1):
            started = time.perf_counter()
            torch.save(tensors, Path(scratch, "plain.pt"))
            plain.append(1e3 * (time.perf_counter() - started))
            started = time.perf_counter()
            context.save_checkpoint(number, state.snapshot)
            held_up.append(1e3 * (time.perf_counter() - started))
            context.wait()
            in_all.append(1e3 * (time.perf_counter() - started))
        size = Path(scratch, "plain.pt").stat().st_size
    return {"bytes": size, "torch_save_ms": plain[1:], "held_up_ms": held_up[1:], "until_stored_ms": in_all[1:]}


def measured(settings: Settings, name: str, rounds: int) -> dict[str, Any]:
    """Measure one preset on a worker of Ray Train."""
    import ray.train
    from ray.train.torch import TorchTrainer

    from tasks.train.channel import open_channel

    arguments = {
        "config": preset(name).model_dump(mode="json"),
        "channel": open_channel(),
        "storage": settings.storage,
        "folder": str(settings.home),
        "rounds": rounds,
        "threads": torch.get_num_threads(),
    }
    trainer = TorchTrainer(
        in_worker,
        train_loop_config=arguments,
        scaling_config=ray.train.ScalingConfig(num_workers=1),
        run_config=ray.train.RunConfig(
            name=f"checkpoints-{name}",
            storage_path=settings.storage,
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=2),
        ),
    )
    found = trainer.fit().return_value
    ratios = [mine / its for mine, its in zip(found["held_up_ms"], found["torch_save_ms"], strict=True)]
    medians = {key: round(statistics.median(values), 1) for key, values in found.items() if key != "bytes"}
    ratio = {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
    return {"bytes": found["bytes"]} | medians | {"ratio": {key: round(value, 2) for key, value in ratio.items()}}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", action="append", help="may be given again (default: digits, cifar10, r3gan-32)")
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(ganflow_home=Path(home), ray_address=None, ganflow_storage=None)
        with ray_cluster(settings):
            names = given.preset or ["digits", "cifar10", "r3gan-32"]
            print(json.dumps({name: measured(settings, name, given.rounds) for name in names}))


if __name__ == "__main__":
    main()
