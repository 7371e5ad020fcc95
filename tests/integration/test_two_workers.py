"""Two real processes on Gloo train as one does: the same ledger, and after a step the same parameters to 1e-5.

This file is also the program that each worker runs: rank, world size, folder and batch size are its arguments.
"""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

from gan.configuration.config import AugmentConfig, Config, DataConfig, LossConfig, NetworkConfig, TrainConfig
from gan.errors import NonFiniteLossError
from gan.objective.augment import OPERATIONS
from gan.training import loop, step
from gan.training.context import LocalContext
from gan.training.header import Header

STEPS = 4
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 1), dtype=np.uint8)
LABELS = np.random.default_rng(1).integers(0, 3, 11)


class GlooContext(LocalContext):
    """What `tasks/train/worker.py` does on Ray Train, on torch.distributed alone."""

    def __init__(self, folder, rank, world_size):
        super().__init__(folder, device=torch.device("cpu"))
        self.rank, self.world_size = rank, world_size
        self.reports = []

    def all_reduce(self, tensor):
        if self.world_size > 1:
            dist.all_reduce(tensor)

    def report(self, progress):
        self.reports.append(progress.metrics)

    def save_checkpoint(self, cur_nimg, snapshot):
        if self.rank == 0:
            super().save_checkpoint(cur_nimg, snapshot)
        if self.world_size > 1:
            dist.barrier()


def work(rank, world_size, folder, batch_size, bad_rank):
    """Train four steps; write down the ledger, the gradients and parameters of the first step, and the reports."""
    torch.set_num_threads(1)
    if world_size > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size)
    config = Config(
        data=DataConfig(resolution=8),
        network=NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1),
        loss=LossConfig(r1_gamma=0.7, r2_gamma=0.3, penalty_every=2),
        augment=AugmentConfig(operations=tuple(OPERATIONS), probability=0.5),
        train=TrainConfig(
            total_kimg=STEPS * batch_size / 1000, batch_size=batch_size, flip=True, log_kimg=0.001, precision="fp32"
        ),
    )
    header = Header(
        config=config.model_dump(mode="json"),
        training_hash=config.training_hash(),
        dataset_md5="abc",
        channels=1,
        num_classes=3,
        class_names=("a", "b", "c"),
    )
    ledger, first = {}, {}

    class Watched(step.Step):
        """The step that the loop takes, written down."""

        def __call__(self, batch, settings, cur_nimg):
            nets = self.nets
            if not first:
                # At the start the residual branches give nothing; the same shake everywhere lets each weight count.
                torch.manual_seed(7)
                for parameter in (*nets.G.parameters(), *nets.D.parameters()):
                    torch.nn.init.normal_(parameter, std=0.4)
                nets.G_ema.load_state_dict(nets.G.state_dict())
            if rank == bad_rank:
                batch.real_images[0, 0, 0, 0] = float("nan")
            columns = (batch.indices, batch.rows, batch.seeds, batch.labels, batch.real_images)
            for index, row, seed, label, image in zip(*columns, strict=True):
                ledger[index.item()] = (row.item(), seed.item(), label.item(), image.flatten().tolist())
            terms = super().__call__(batch, settings, cur_nimg)
            for name in ("G", "D", "G_ema"):
                parameters = getattr(nets, name).parameters()
                first.setdefault(f"{name} parameters", torch.cat([p.detach().flatten() for p in parameters]))
            return terms

    plain = step.apply_gradients

    def apply_gradients(network, gradients, *rest):
        taken = plain(network, gradients, *rest)
        if taken:
            name = "G" if hasattr(network, "latent_dim") else "D"
            first.setdefault(f"{name} gradients", torch.cat([gradient.flatten() for gradient in gradients]))
        return taken

    loop.Step, step.apply_gradients = Watched, apply_gradients
    context = GlooContext(Path(folder) / "checkpoints", rank, world_size)
    failure = ""
    try:
        loop.run_training(config, IMAGES, LABELS, context, header)
    except NonFiniteLossError as error:
        failure = f"{type(error).__name__}: {error}"
    result = {"ledger": ledger, "first": first, "reports": context.reports, "failure": failure}
    torch.save(result, Path(folder) / f"rank{rank}.pt")
    if world_size > 1:
        dist.destroy_process_group()


def run(folder, *, world_size, batch_size, bad_rank=-1):
    """Start the workers and return what each wrote down."""
    folder.mkdir()
    numbers = (str(world_size), str(folder), str(batch_size), str(bad_rank))
    commands = [[sys.executable, "-W", "error", __file__, str(rank), *numbers] for rank in range(world_size)]
    workers = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    try:
        errors = [worker.communicate(timeout=120)[1] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    assert [worker.returncode for worker in workers] == [0] * world_size, errors
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(world_size)]


@pytest.mark.integration
@pytest.mark.parametrize("batch_size", [7, pytest.param(8, marks=pytest.mark.slow)])
def test_two_workers_do_what_one_does(tmp_path, batch_size):
    (alone,) = run(tmp_path / "one", world_size=1, batch_size=batch_size)
    workers = run(tmp_path / "two", world_size=2, batch_size=batch_size)
    assert [worker["failure"] for worker in [alone, *workers]] == [""] * 3

    # The ledger: every image, seed, label and flip of four steps, each with one worker only, halves as even as can be.
    sizes = [len(worker["ledger"]) for worker in workers]
    assert sizes == [STEPS * (batch_size // 2), STEPS * (batch_size - batch_size // 2)]
    assert workers[0]["ledger"] | workers[1]["ledger"] == alone["ledger"]
    assert sorted(alone["ledger"]) == list(range(STEPS * batch_size))

    # The first step: gradients that matter are equal to 1e-5, and the workers hold the same bits.
    for name, wanted in alone["first"].items():
        # Adam's first step is lr * sign(gradient): where that is about zero, its sign is rounding.
        gradients = alone["first"][f"{name.split()[0].removesuffix('_ema')} gradients"]
        clear = gradients.abs() > (1e-4 if name.endswith("parameters") else -1)
        assert clear.float().mean() > 0.5
        for worker in workers:
            torch.testing.assert_close(worker["first"][name][clear], wanted[clear], rtol=1e-4, atol=1e-5)
        assert torch.equal(workers[0]["first"][name], workers[1]["first"][name])
    assert alone["first"]["D gradients"].abs().max() > 0.01
    assert alone["first"]["G gradients"].abs().max() > 0.01

    # Reports are means over all images, not over one worker's.
    logged = [[metrics for metrics in worker["reports"] if metrics] for worker in [alone, *workers]]
    for metrics in itertools.chain(*logged):
        assert metrics.pop("images_per_second") > 0
    assert [len(records) for records in logged] == [STEPS] * 3
    assert logged[1] == logged[2]
    assert logged[1][0] == pytest.approx(logged[0][0], rel=1e-3)
    assert len(list((tmp_path / "two" / "checkpoints").iterdir())) == 1


@pytest.mark.integration
def test_a_nan_on_one_worker_stops_both(tmp_path):
    workers = run(tmp_path / "two", world_size=2, batch_size=8, bad_rank=1)
    for worker in workers:
        assert worker["failure"].startswith("NonFiniteLossError: ")
        assert "became NaN or infinite at image 0" in worker["failure"]
        assert worker["first"] == {}


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
