"""A training step of ganflow against a plain one of the same model, alternating in one process; prints JSON.

  A  ganflow's step as training runs it: the probe's choice of precision (on a GPU also of compiling and capturing),
     channels last, one pass of D over real and generated images, one gradient for R1 and R2, one pass of G for both
     phases, fused Adam
  B  the same networks, losses and penalties written plainly: fp32, NCHW, D called on real and on generated images
     apart, a gradient each for R1 and R2, G called in both phases, every backward pass into all weights, Adam and the
     moving average one parameter at a time

Before anything is timed the gradients of A in fp32 and of B must agree on one batch. Every preset is timed twice: with
penalties at every step, and as lazy as the preset is, on both sides. Where A's choice is not fp32, A in fp32 is timed
too: its ratio is what is not the precision's. `share_of_peak` is the rate of A's convolutions and matrix products over
that of a large matrix product in the same precision, measured in the same round. A line of JSON comes after each of
these timings and holds all until then: the last one is the result.

  python benchmarks/step.py                                  # two presets on a CPU, minutes; cifar10 on a GPU
  python benchmarks/step.py --presets r3gan-32 --batch 128   # on a large GPU

Needs torch, numpy and pydantic alone. Progress goes to standard error. For figures to be shown let nothing else run
beside it. Augmentation is left out of both.
"""

import argparse
import copy
import json
import math
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from measured.clock import now
from measured.figures import say, short, spread
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import conv_flop_count, flop_registry

from gan.configuration.config import AugmentConfig, Config
from gan.configuration.presets import PRESETS, preset
from gan.configuration.schedules import StepSettings, step_settings
from gan.device.fp32 import round_fp32
from gan.device.machine import device_name
from gan.device.precision import choose_kernels
from gan.networks.dcgan import DCDiscriminator, DCGenerator
from gan.networks.initialisation import LEAKY_SLOPE, he_normal
from gan.networks.r3gan import R3Discriminator, R3Generator
from gan.networks.residual import ResidualBlock
from gan.training.context import SingleWorker
from gan.training.feed import Batch, Feed
from gan.training.header import Header
from gan.training.probe import Trial, choose
from gan.training.state import TrainingState
from gan.training.step import Networks, Step

CLASSES, IMAGES = 10, 4096
MOST_DISAGREEMENT, LEAST_RATIO = 1e-3, 1.3
RIVALS = [name for name in PRESETS if PRESETS[name]().loss.kind == "relativistic"]
"""Presets with the loss that B has."""


def plain_generator(G: R3Generator | DCGenerator, z: Tensor, labels: Tensor) -> Tensor:
    """Return images from G's weights, in NCHW."""
    if G.embedding is not None:
        z = torch.cat([z, G.embedding(labels)], dim=1)
    if isinstance(G, DCGenerator):
        return G.layers(z[:, :, None, None]).tanh()
    x = G.basis * G.modulation(z)[:, :, None, None]
    for index, blocks in enumerate(G.stages):
        if index:
            x = doubled(G.transitions[index - 1](x), zeros=G.doublings[index - 1].border is not None)
        for block in blocks:
            x = plain_block(block, x)
    return F.pixel_shuffle(G.to_image(x), G.patch)


def doubled(x: Tensor, *, zeros: bool) -> Tensor:
    """Return images [N, C, H, W] at twice their resolution, with zeros beyond their edges or the edges again."""
    if not zeros:
        return F.interpolate(x, scale_factor=2.0, mode="bilinear")
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device) / 4
    kernel = torch.outer(taps, taps).repeat(x.shape[1], 1, 1, 1)
    return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


def plain_discriminator(D: R3Discriminator | DCDiscriminator, images: Tensor, labels: Tensor) -> Tensor:
    """Return logits from D's weights, in NCHW."""
    features = strided_features(D, images) if isinstance(D, DCDiscriminator) else residual_features(D, images)
    if D.embedding is None:
        return features[:, 0]
    classes = D.embedding(labels)
    logits = (features * classes).sum(1)
    return logits / classes.shape[1] ** 0.5 if isinstance(D, DCDiscriminator) or D.divided else logits


def strided_features(D: DCDiscriminator, images: Tensor) -> Tensor:
    """Return what DCGAN's D finds, before classes."""
    x = images
    for conv in D.convs:
        x = F.leaky_relu(conv(x), LEAKY_SLOPE)
    return D.output(x).flatten(1)


def residual_features(D: R3Discriminator, images: Tensor) -> Tensor:
    """Return what R3GAN's D finds, before classes."""
    x = D.from_image(F.pixel_unshuffle(images, D.patch))
    for index, blocks in enumerate(D.stages):
        if index:
            taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device) / 8
            kernel = torch.outer(taps, taps).repeat(x.shape[1], 1, 1, 1)
            x = D.transitions[index - 1](F.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1]))
        for block in blocks:
            x = plain_block(block, x)
    return D.output(F.conv2d(x, D.head.weight[:, None], groups=x.shape[1]).flatten(1))


def plain_block(block: ResidualBlock, x: Tensor) -> Tensor:
    """Return what a residual block makes of x."""
    y = F.leaky_relu(block.conv1(x), LEAKY_SLOPE)
    y = F.leaky_relu(block.conv2(y), LEAKY_SLOPE)
    return x + block.conv3(y)


class PlainStep:
    """B.

    Args:
        nets: copied, with its weights in NCHW and a plain Adam each.
    """

    def __init__(self, nets: Networks) -> None:
        self.G, self.D, self.G_ema = (in_nchw(network) for network in (nets.G, nets.D, nets.G_ema))
        self.G_optimizer, self.D_optimizer = (
            torch.optim.Adam(network.parameters(), betas=old.param_groups[0]["betas"], foreach=False, fused=False)
            for network, old in ((self.G, nets.G_optimizer), (self.D, nets.D_optimizer))
        )

    def __call__(self, batch: Batch, z: Tensor, settings: StepSettings) -> None:
        """Train D, then G, then move G_ema."""
        labels, scale = batch.labels, settings.penalty_scale
        for optimizer in (self.G_optimizer, self.D_optimizer):
            for group in optimizer.param_groups:
                group["lr"], group["betas"] = settings.lr, (group["betas"][0], settings.beta2)
        real_images = batch.real_images.contiguous()
        real, fake = real_images.clone(), plain_generator(self.G, z, labels).detach()
        logits, penalties = [], 0.0
        for images, gamma in ((real, settings.r1_gamma), (fake, settings.r2_gamma)):
            images.requires_grad_(settings.penalised)
            logits.append(plain_discriminator(self.D, images, labels))
            if settings.penalised:
                (slopes,) = torch.autograd.grad(logits[-1].sum(), images, create_graph=True)
                penalties = penalties + gamma * scale / 2 * slopes.square().sum((1, 2, 3))
        self.D_optimizer.zero_grad()
        (F.softplus(logits[1] - logits[0]) + penalties).mean().backward()
        self.D_optimizer.step()

        fake_logits = plain_discriminator(self.D, plain_generator(self.G, z, labels), labels)
        real_logits = plain_discriminator(self.D, real_images, labels)
        self.G_optimizer.zero_grad()
        F.softplus(real_logits - fake_logits).mean().backward()
        self.G_optimizer.step()
        with torch.no_grad():
            for average, value in zip(self.G_ema.parameters(), self.G.parameters(), strict=True):
                average.copy_(settings.ema_decay * average + (1 - settings.ema_decay) * value)


def in_nchw(network: nn.Module) -> nn.Module:
    """Return a copy whose weights lie in PyTorch's default order."""
    copied = copy.deepcopy(network)
    for parameter in copied.parameters():
        parameter.data = parameter.data.contiguous()
    return copied


def disagreement(ours: Step, plain: PlainStep, batch: Batch, settings: StepSettings) -> dict[str, float]:
    """Return how far A's gradients are from B's, by network: of the tensor where it is worst, relative.

    A tensor counts as at least a thousandth of all of them: where there is hardly a gradient rounding is all there is.
    """
    found: dict[torch.optim.Optimizer, list[Tensor]] = {}

    def keep(optimizer: torch.optim.Optimizer, *_: object) -> None:
        found[optimizer] = [parameter.grad.clone() for parameter in optimizer.param_groups[0]["params"]]

    pairs = {name: [getattr(side, name) for side in (ours.nets, plain)] for name in ("D_optimizer", "G_optimizer")}
    hooks = [each.register_step_pre_hook(keep) for pair in pairs.values() for each in pair]
    settings = replace(settings, lr=0.0)  # G's gradients then come from the very same D
    ours(batch, settings, 0)
    plain(batch, noise(batch), settings)
    for hook in hooks:
        hook.remove()
    off = {}
    for name, (a, b) in pairs.items():
        least = 1e-3 * torch.stack(torch._foreach_norm(found[b])).norm()
        worst = [(x - y).norm() / y.norm().clamp_min(least) for x, y in zip(found[a], found[b], strict=True)]
        off[name[0]] = float(max(worst))
    return off


def noise(batch: Batch) -> Tensor:
    """Return the z [n, latent_dim] that A draws for a batch."""
    return batch.draws.z


def header_of(config: Config, channels: int) -> Header:
    """Return what a checkpoint would say of a training on noise of so many channels."""
    return Header(
        config=config.model_dump(mode="json"),
        training_hash=config.training_hash(),
        dataset_md5="noise",
        channels=channels,
        num_classes=CLASSES,
        class_names=tuple(str(label) for label in range(CLASSES)),
    )


def compare(config: Config, device: torch.device, rounds: int, seconds: float) -> dict:
    """Measure one configuration, alternating, and return its figures."""
    channels = 1 if config.preset in ("fashion-mnist", "digits", "debug") else 3
    context, size = SingleWorker(device), config.train.batch_size
    run = TrainingState(config, context, header_of(config, channels))
    for module in [*run.nets.G.modules(), *run.nets.D.modules()]:
        if isinstance(module, ResidualBlock):
            he_normal(module.conv3, 0.5)  # it begins at zero, and no gradient would come through it
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (IMAGES, config.data.resolution, config.data.resolution, channels), dtype=np.uint8)
    feed = Feed(
        images, rng.integers(0, CLASSES, IMAGES), seed=0, flip=False, latent_dim=run.nets.G.latent_dim, device=device
    )
    batch = feed.batch(0, size)
    round_fp32(device, tf32=False)  # PyTorch's own choice for a GPU's convolutions is TF32
    exact = Step(copy.deepcopy(run.nets), run.objective, context)
    off = disagreement(exact, PlainStep(run.nets), batch, step_settings(config, 0))
    if not max(off.values()) <= MOST_DISAGREEMENT:
        raise SystemExit(f"the gradients differ by {off}, more than {MOST_DISAGREEMENT}: nothing here is comparable")

    choice = choose(Trial(config, run.nets, run.objective, feed, context, [(0, size)]))
    say(f"{config.preset}, penalties every {config.loss.penalty_every}: ganflow takes {choice}")
    ours = Step(
        copy.deepcopy(run.nets),
        replace(run.objective, bf16=choice.bf16),
        context,
        compiled=choice.compiled,
        captured=choice.captured,
    )
    plain, z = PlainStep(run.nets), noise(batch)
    contenders: dict[str, Callable[[StepSettings, int], object]] = {
        "ours": lambda settings, at: ours(batch, settings, at),
        "reference": lambda settings, at: plain(batch, z, settings),
    }
    if choice.name != "fp32":
        contenders["ours in fp32"] = lambda settings, at: exact(batch, settings, at)
    rounded = {"ours": choice.tf32}
    product = torch.bfloat16 if choice.bf16 else torch.float32
    rates, peaks = alternate(contenders, config, lambda: matmul_rate(device, product), rounds, seconds, device, rounded)
    found = {"choice": choice.name, "probe_img_per_s": choice.rates, "gradients_disagree_by": off}
    found["img_per_s"] = {name: spread(each) for name, each in rates.items()}
    for name in contenders:
        if name != "reference":
            ratio = spread([a / b for a, b in zip(rates[name], rates["reference"], strict=True)])
            found["ratio" if name == "ours" else f"ratio, {name}"] = ratio
    if device.type == "cuda":
        found |= on_the_card(ours, config, batch)
    each_image = operations(exact, config, batch) / size
    shares = [rate * each_image / peak for rate, peak in zip(rates["ours"], peaks, strict=True)]
    peak = spread([peak / 1e12 for peak in peaks])
    return found | {
        "mflop_per_image": short(each_image / 1e6),
        "peak_tflop_per_s": peak,
        "share_of_peak": spread(shares),
    }


def on_the_card(step: Step, config: Config, batch: Batch) -> dict[str, float]:
    """Return how often a step of A makes the host wait for the card, and the memory that is taken after it.

    What a recorded step keeps lies in a pool of its own that no replay allocates from, so that its peak is not to be
    seen; the weights of all contenders are in the figure.
    """
    whole, size = math.lcm(config.loss.penalty_every, config.train.generator_every), config.train.batch_size
    torch.cuda.empty_cache()
    with warnings.catch_warnings(record=True) as waits:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")  # which warns of itself
        waits.clear()
        for index in range(whole):
            step(batch, step_settings(config, index * size), index * size)
    torch.cuda.set_sync_debug_mode("default")
    return {"waits_a_step": len(waits) / whole, "reserved_memory_gib": short(torch.cuda.memory_reserved() / 2**30)}


def alternate(
    contenders: dict,
    config: Config,
    peak: Callable[[], float],
    rounds: int,
    seconds: float,
    device: torch.device,
    rounded: dict[str, bool],
) -> tuple[dict[str, list[float]], list[float]]:
    """Return images a second and the peak by round.

    Each turn lasts about `seconds`, in whole rounds of the lazy penalties; by `rounded` a contender's fp32 is TF32.
    """
    size = config.train.batch_size
    whole = math.lcm(config.loss.penalty_every, config.train.generator_every)

    def turn(name: str, steps: int) -> float:
        round_fp32(device, tf32=rounded.get(name, False))
        started = now(device)
        for index in range(steps):
            contenders[name](step_settings(config, index * size), index * size)
        return now(device) - started

    steps, peaks = {}, []
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for name in contenders:
        turn(name, 4 * whole if device.type == "cuda" else whole)  # there kernels are looked for, and graphs recorded
        steps[name] = whole * max(1, round(seconds / turn(name, whole)))
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            rates[name].append(steps[name] * size / turn(name, steps[name]))
        round_fp32(device, tf32=rounded.get("ours", False))
        peaks.append(peak())
        say(f"round {number + 1}: " + ", ".join(f"{name} {each[-1]:.0f} img/s" for name, each in rates.items()))
    return rates, peaks


def operations(step: Step, config: Config, batch: Batch) -> float:
    """Return the mean floating point operations of a step's convolutions and matrix products."""
    whole, size = math.lcm(config.loss.penalty_every, config.train.generator_every), config.train.batch_size
    with Operations() as counted:
        for index in range(whole):
            step(batch, step_settings(config, index * size), index * size)
    return counted.total / whole


class Operations(TorchDispatchMode):
    """Counts; PyTorch's own FlopCounterMode does not bear gradients of gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Count a call."""
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution_backward.default:  # the registered formula forgets the groups
            grad_out, x, w, transposed, output_mask = *args[:3], args[7], args[10]
            forward = conv_flop_count(x.shape, w.shape, grad_out.shape, transposed=transposed)
            self.total += forward * (output_mask[0] + output_mask[1])
        elif func._overloadpacket in flop_registry:
            self.total += flop_registry[func._overloadpacket](*args, **(kwargs or {}), out_val=result)
        return result


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the operations a second of a large matrix product, the best of ten."""
    side = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    best = math.inf
    for _ in range(10):
        started = now(device)
        a @ b
        best = min(best, now(device) - started)
    return 2 * side**3 / best


def main() -> None:
    """Measure and print."""
    gpu = torch.cuda.is_available()
    usual = ["cifar10"] if gpu else ["fashion-mnist", "digits"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=RIVALS, default=usual, help=f"(default: {' '.join(usual)})")
    parser.add_argument("--rounds", type=int, default=5, help="each times all contenders once (default 5)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of a contender's turn, about (default 3)")
    parser.add_argument("--batch", type=int, help="images a step (default: the preset's)")
    parser.add_argument("--eager", action="store_true", help="compile nothing, for which a GPU needs minutes")
    arguments = parser.parse_args()
    device = torch.device("cuda" if gpu else "cpu")
    choose_kernels(device, deterministic=False)
    load, started, found = os.getloadavg()[0], time.perf_counter(), {}
    for name in arguments.presets:
        config = preset(name).model_copy(update={"augment": AugmentConfig()})
        given = {"batch_size": arguments.batch} if arguments.batch else {}
        given |= {"compile": False} if arguments.eager else {}
        config = config.model_copy(update={"train": config.train.model_copy(update=given)})
        for every in sorted({1, config.loss.penalty_every}):
            loss = config.loss.model_copy(update={"penalty_every": every})
            found[f"{name}, penalties every {every}"] = compare(
                config.model_copy(update={"loss": loss}), device, arguments.rounds, arguments.seconds
            )
            seconds = round(time.perf_counter() - started)
            print(json.dumps(record(found, device) | {"load_before": round(load, 2), "seconds": seconds}), flush=True)


def record(found: dict[str, dict], device: torch.device) -> dict:
    """Return what was measured until now, and on what."""
    met = {f"{name}: ratio >= {LEAST_RATIO}": each["ratio"]["median"] >= LEAST_RATIO for name, each in found.items()}
    return {
        "benchmark": "step",
        "met": met,
        "presets": found,
        "device": device_name(device),
        "cores": len(os.sched_getaffinity(0)),
        "torch_threads": torch.get_num_threads(),
        "wait_policy": os.environ.get("OMP_WAIT_POLICY", "unset"),
        "torch": torch.__version__,
    }


if __name__ == "__main__":
    main()
