"""Real processes on Gloo train as one does: the same ledger, and after a step the same parameters to 1e-5.

This file is also the program that each worker runs: rank, world size, folder and options are its arguments.
"""

import itertools
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from ranks import run_ranks
from torch import nn

from gan.configuration.config import AugmentConfig, Config, DataConfig, LossConfig, NetworkConfig, TrainConfig
from gan.errors import NonFiniteLossError
from gan.keyed_random import epoch_order
from gan.networks.interface import Discriminator
from gan.objective.augment import OPERATIONS
from gan.training import all_reduce, loop, state, step
from gan.training.all_reduce import SumsOverRanks
from gan.training.context import LocalContext
from gan.training.header import Header

STEPS = 5
IMAGES = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 1), dtype=np.uint8)
LABELS = np.random.default_rng(1).integers(0, 3, 11)


class GlooContext(SumsOverRanks, LocalContext):
    """What `tasks/train/worker.py` does on Ray Train, on torch.distributed alone."""

    def __init__(self, folder, rank, world_size):
        super().__init__(folder, device=torch.device("cpu"))
        self.rank, self.world_size = rank, world_size
        self.reports = []

    def report(self, progress):
        self.reports.append(progress.metrics)

    def save_checkpoint(self, cur_nimg, snapshot):
        if self.rank == 0:
            super().save_checkpoint(cur_nimg, snapshot)
        if self.world_size > 1:
            dist.barrier()


class Rare(Discriminator):
    """Has a layer for images of the last class alone: where there are none it takes no part, and has no gradient."""

    def __init__(self, inner):
        super().__init__()
        self.num_classes, self.inner, self.layer = inner.num_classes, inner, nn.Linear(64, 1, bias=False)

    def forward(self, images, labels, seeds):
        logits, rare = self.inner(images, labels, seeds), labels == self.num_classes - 1
        if not rare.any():
            return logits
        return logits + torch.where(rare, self.layer(images.flatten(1))[:, 0], 0.0)


def in_float64(nets):
    """Let networks and optimizers go on in float64."""
    for network in (nets.G, nets.D, nets.G_ema):
        network.double()
    for network in (nets.G, nets.G_ema):
        network.register_forward_pre_hook(lambda module, inputs: (inputs[0].double(), *inputs[1:]))
    for optimizer in (nets.G_optimizer, nets.D_optimizer):
        optimizer.load_state_dict(optimizer.state_dict())


def work(rank, world_size, folder, *, batch_size, bad_rank=-1, train=None, rare=False, float64=False):
    """Train five steps; write down the ledger, the gradients and parameters of the first step, and the reports."""
    torch.set_num_threads(1)
    all_reduce.LEAST_BYTES = 100  # gradients then set off in many buckets
    if world_size > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world_size)
    config = Config(
        data=DataConfig(resolution=8),
        network=NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1),
        loss=LossConfig(r1_gamma=0.7, r2_gamma=0.3, penalty_every=2),
        augment=AugmentConfig(operations=tuple(OPERATIONS), probability=0.5),
        train=TrainConfig(
            **{"total_kimg": STEPS * batch_size / 1000, "batch_size": batch_size, "log_kimg": 0.001},
            **{"checkpoint_kimg": 0.001, "flip": True, "precision": "fp32"} | (train or {}),
        ),
    )
    labels = LABELS
    if rare:  # the first image of the first batch alone is of the last class
        labels = np.where(np.arange(len(LABELS)) == epoch_order(0, 0, len(LABELS))[0].item(), 2, LABELS % 2)
        plain_build = state.build_discriminator
        state.build_discriminator = lambda network, **shape: Rare(plain_build(network, **shape))
    header = Header(
        config=config.model_dump(mode="json"),
        training_hash=config.training_hash(),
        dataset_md5="abc",
        channels=1,
        num_classes=3,
        class_names=("a", "b", "c"),
    )
    ledger, first, noise = {}, {}, []

    class Watched(step.Step):
        """The step that the loop takes, written down."""

        def __call__(self, batch, settings, cur_nimg):
            nets = self.nets
            if not first:
                if cur_nimg == 0:
                    # At the start the residual branches give nothing; the same shake everywhere lets each weight count.
                    torch.manual_seed(7)
                    for parameter in (*nets.G.parameters(), *nets.D.parameters()):
                        torch.nn.init.normal_(parameter, std=0.4)
                    nets.G_ema.load_state_dict(nets.G.state_dict())
                if float64:
                    in_float64(nets)
                nets.G.register_forward_pre_hook(lambda module, inputs: noise.append(inputs[0]))
            if rank == bad_rank:
                batch.real_images[0, 0, 0, 0] = float("nan")
            if float64:
                batch = replace(batch, real_images=batch.real_images.double())
            terms = super().__call__(batch, settings, cur_nimg)
            columns = (batch.indices, batch.rows, batch.draws.seeds, batch.labels, batch.real_images, torch.cat(noise))
            # where a slice is in pieces, G's phase sees the same z once more
            for index, row, seed, label, image, z in zip(*columns, strict=len(noise) == 1):
                drawn = (row.item(), seed.item(), label.item(), image.flatten().tolist(), z.tolist())
                ledger[index.item()] = drawn
            noise.clear()
            for name in ("G", "D", "G_ema"):
                parameters = getattr(nets, name).parameters()
                first.setdefault(f"{name} parameters", torch.cat([p.detach().flatten() for p in parameters]))
            return terms

    plain = step.apply_gradients

    def apply_gradients(network, gradients, *others):
        bad = plain(network, gradients, *others)
        if not bad:
            name = "G" if hasattr(network, "latent_dim") else "D"
            first.setdefault(f"{name} gradients", torch.cat([gradient.flatten() for gradient in gradients]))
        return bad

    loop.Step, step.apply_gradients = Watched, apply_gradients
    context = GlooContext(Path(folder) / "checkpoints", rank, world_size)
    failure = ""
    try:
        loop.run_training(config, IMAGES, labels, context, header)
    except NonFiniteLossError as error:
        failure = f"{type(error).__name__}: {error}"
    result = {"ledger": ledger, "first": first, "reports": context.reports, "failure": failure}
    torch.save(result, Path(folder) / f"rank{rank}.pt")
    if world_size > 1:
        dist.destroy_process_group()


def run(folder, *, world_size, **options):
    """Start the workers and return what each wrote down."""
    folder.mkdir(exist_ok=True)
    run_ranks(__file__, world_size, str(world_size), str(folder), json.dumps(options))
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in range(world_size)]


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory):
    """A run of one worker with batches of 7: its folder, and what the worker wrote down."""
    folder = tmp_path_factory.mktemp("one")
    return folder, run(folder, world_size=1, batch_size=7)


@pytest.mark.integration
@pytest.mark.parametrize("batch_size", [7, pytest.param(8, marks=pytest.mark.slow)])
def test_two_workers_do_what_one_does(tmp_path, one_worker, batch_size):
    (alone,) = one_worker[1] if batch_size == 7 else run(tmp_path / "one", world_size=1, batch_size=batch_size)
    workers = run(tmp_path / "two", world_size=2, batch_size=batch_size)
    three = run(tmp_path / "three", world_size=3, batch_size=batch_size)
    assert [worker["failure"] for worker in [alone, *workers, *three]] == [""] * 6

    # The ledger: every image, seed, label, flip and z of all steps, each with one worker only, as even as can be.
    for together in (workers, three):
        ledgers = [worker["ledger"] for worker in together]
        sizes = [STEPS * part for part in worker_parts(batch_size, len(together))]
        assert [len(ledger) for ledger in ledgers] == sizes
        assert {index: drawn for ledger in ledgers for index, drawn in ledger.items()} == alone["ledger"]
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
        of_time = {name: metrics.pop(name) for name in [*metrics] if name.endswith(("_share", "_second", "_cores"))}
        assert of_time["images_per_second"] > 0
    assert set(of_time) >= {"all_reduce_share", "worker_0_images_per_second", "worker_1_images_per_second"}
    assert 0 < of_time["all_reduce_share"] < 1
    assert [len(records) for records in logged] == [STEPS] * 3
    assert logged[1] == logged[2]
    assert logged[1][0] == pytest.approx(logged[0][0], rel=1e-3)
    assert len(list((tmp_path / "two" / "checkpoints").iterdir())) == 2


def worker_parts(batch_size, workers):
    """Images of a batch that fall to each."""
    edges = [batch_size * rank // workers for rank in range(workers + 1)]
    return [stop - start for start, stop in itertools.pairwise(edges)]


def gone_on(tmp_path, name, checkpoint, *, world_size, **options):
    """What the workers wrote down who took the last step from a checkpoint."""
    shutil.copytree(checkpoint, tmp_path / name / "checkpoints" / checkpoint.name)
    found = run(tmp_path / name, world_size=world_size, batch_size=7, **options)
    assert [worker["failure"] for worker in found] == [""] * world_size
    assert sum(len(worker["ledger"]) for worker in found) == 7
    return found


def distance(found, wanted):
    """Of two vectors, relative."""
    return ((found - wanted).norm() / wanted.norm()).item()


@pytest.fixture(scope="module")
def checkpoint(one_worker):
    """A checkpoint before the last step: Adam then knows the size of each weight's gradients."""
    return sorted((one_worker[0] / "checkpoints").iterdir())[0]


@pytest.mark.integration
def test_a_step_from_one_checkpoint_is_the_same_on_two_workers_and_in_pieces(tmp_path, checkpoint):
    (alone,) = gone_on(tmp_path, "one", checkpoint, world_size=1, float64=True)
    for name, train in (("two", {}), ("in pieces", {"accumulate": 2})):
        workers = gone_on(tmp_path, name, checkpoint, world_size=2, float64=True, train=train)
        for key, wanted in alone["first"].items():
            assert wanted.dtype == torch.float64
            assert torch.equal(workers[0]["first"][key], workers[1]["first"][key])
            assert distance(workers[0]["first"][key], wanted) < 1e-9


@pytest.mark.integration
@pytest.mark.slow
def test_so_it_is_in_float32_and_nearly_with_gradients_sent_in_bf16(tmp_path, checkpoint):
    (alone,) = gone_on(tmp_path, "one", checkpoint, world_size=1)
    workers = gone_on(tmp_path, "two", checkpoint, world_size=2)
    rounded = gone_on(tmp_path, "bf16", checkpoint, world_size=2, train={"reduce_precision": "bf16"})
    for key, wanted in alone["first"].items():
        assert wanted.dtype == torch.float32
        assert torch.equal(workers[0]["first"][key], workers[1]["first"][key])
        assert distance(workers[0]["first"][key], wanted) < 1e-5
        assert torch.equal(rounded[0]["first"][key], rounded[1]["first"][key])
    found, wanted = rounded[0]["first"]["D gradients"], alone["first"]["D gradients"]  # G's are of another D
    assert torch.equal(found, found.bfloat16().float())
    # two summands that nearly cancel may leave more than the rounding of the sum, but on the whole it is that
    assert 0 < distance(found, wanted) < 2**-7


@pytest.mark.integration
@pytest.mark.slow
def test_a_layer_that_one_worker_does_not_use_has_the_gradient_of_the_others(tmp_path):
    (alone,) = run(tmp_path / "one", world_size=1, batch_size=7, rare=True)
    workers = run(tmp_path / "two", world_size=2, batch_size=7, rare=True)
    first_batches = [[drawn for index, drawn in worker["ledger"].items() if index < 7] for worker in workers]
    assert [sum(label == 2 for _, _, label, *_ in batch) for batch in first_batches] == [1, 0]
    wanted = alone["first"]["D gradients"]
    assert wanted[-64:].abs().min() > 1e-4  # the layer's own
    for worker in workers:
        torch.testing.assert_close(worker["first"]["D gradients"], wanted, rtol=1e-4, atol=1e-5)
    assert torch.equal(workers[0]["first"]["D parameters"], workers[1]["first"]["D parameters"])


@pytest.mark.integration
def test_a_nan_on_one_worker_stops_both(tmp_path):
    workers = run(tmp_path / "two", world_size=2, batch_size=8, bad_rank=1, train={"most_bad_steps": 0})
    for worker in workers:
        assert worker["failure"].startswith("NonFiniteLossError: ")
        assert "became NaN or infinite at image 0" in worker["failure"]
        assert worker["first"] == {}


if __name__ == "__main__":
    work(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], **json.loads(sys.argv[4]))
