"""One training step: a discriminator phase, a generator phase, the moving average."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gan.context import TrainContext
from gan.ema import update_ema
from gan.errors import NonFiniteLossError
from gan.feed import Batch
from gan.keyed_random import Purpose, normal
from gan.losses import discriminator_loss, generator_loss
from gan.networks.discriminator import Discriminator
from gan.networks.generator import Generator
from gan.penalties import gradient_norms


@dataclass
class Networks:
    """What a step changes: G, D, the average of G, and an optimizer for each of the first two."""

    G: Generator
    D: Discriminator
    G_ema: Generator
    G_optimizer: torch.optim.Optimizer
    D_optimizer: torch.optim.Optimizer


@dataclass(frozen=True)
class StepSettings:
    """Values that hold for one step.

    Attributes:
        batch_size: images in the global batch; sums of losses are divided by it.
        r1_gamma: weight of the penalty on real images.
        r2_gamma: weight of the penalty on fake images.
        lr: learning rate of both optimizers.
        ema_decay: decay of G_ema.
    """

    batch_size: int
    r1_gamma: float
    r2_gamma: float
    lr: float
    ema_decay: float


def discriminator_phase(nets: Networks, batch: Batch, z: Tensor, settings: StepSettings) -> dict[str, Tensor]:
    """Accumulate D's gradients over this worker's slice of n images, from noise z [n, latent_dim].

    Returns:
        Sums over the slice, each a float32 scalar: D_loss, r1, r2, real_logits, fake_logits.

    Reference: Huang et al., NeurIPS 2024, equations (2) and (3): L_D + gamma / 2 (R1 + R2).
    """
    with torch.no_grad():
        fake_images = nets.G(z, batch.labels)
    count = len(batch.labels)
    images = torch.cat([batch.real_images, fake_images]).requires_grad_(True)
    logits = nets.D(images, batch.labels.repeat(2))
    real_logits, fake_logits = logits[:count], logits[count:]
    loss = discriminator_loss(real_logits, fake_logits).sum()
    total = loss
    r1 = r2 = torch.zeros((), device=logits.device)
    if settings.r1_gamma or settings.r2_gamma:
        norms = gradient_norms(logits, images)
        r1, r2 = norms[:count].sum(), norms[count:].sum()
        total = loss + 0.5 * settings.r1_gamma * r1 + 0.5 * settings.r2_gamma * r2
    (total / settings.batch_size).backward()  # type: ignore[no-untyped-call]
    terms = {"D_loss": loss, "r1": r1, "r2": r2, "real_logits": real_logits.sum(), "fake_logits": fake_logits.sum()}
    return {name: value.detach() for name, value in terms.items()}


def generator_phase(nets: Networks, batch: Batch, z: Tensor, settings: StepSettings) -> dict[str, Tensor]:
    """Accumulate G's gradients over this worker's slice of n images, from noise z [n, latent_dim]; D stays as it is.

    Returns:
        The sum of G_loss over the slice, a float32 scalar.
    """
    nets.D.requires_grad_(False)
    try:
        fake_logits = nets.D(nets.G(z, batch.labels), batch.labels)
        with torch.no_grad():
            real_logits = nets.D(batch.real_images, batch.labels)
        loss = generator_loss(real_logits, fake_logits).sum()
        (loss / settings.batch_size).backward()  # type: ignore[no-untyped-call]
    finally:
        nets.D.requires_grad_(True)
    return {"G_loss": loss.detach()}


def apply_gradients(
    network: nn.Module, optimizer: torch.optim.Optimizer, lr: float, all_reduce: Callable[[Tensor], None]
) -> bool:
    """Sum the gradients over all workers in one flat all_reduce and take the step.

    Returns:
        False, with nothing changed, if any gradient on any worker is not finite. Every rank sees the same sum and
        so decides alike.
    """
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    all_reduce(flat)
    if not torch.isfinite(flat).all():
        return False
    offset = 0
    for gradient in gradients:
        gradient.copy_(flat[offset : offset + gradient.numel()].view_as(gradient))
        offset += gradient.numel()
    for group in optimizer.param_groups:
        group["lr"] = lr
    optimizer.step()
    return True


def train_step(
    nets: Networks, batch: Batch, settings: StepSettings, context: TrainContext, cur_nimg: int
) -> dict[str, Tensor]:
    """Train D once, then G once, then move G_ema.

    Returns:
        This worker's sums over its slice: D_loss, G_loss, r1, r2, real_logits, fake_logits.

    Raises:
        NonFiniteLossError: a gradient is not finite on some worker; the network that it belongs to takes no step.
    """
    terms: dict[str, Tensor] = {}
    z = normal(batch.seeds, Purpose.LATENT, nets.G.latent_dim)
    phases: Iterable[tuple[str, nn.Module, torch.optim.Optimizer, Callable[..., dict[str, Tensor]]]] = (
        ("D", nets.D, nets.D_optimizer, discriminator_phase),
        ("G", nets.G, nets.G_optimizer, generator_phase),
    )
    for name, network, optimizer, phase in phases:
        network.zero_grad(set_to_none=True)
        terms |= phase(nets, batch, z, settings)
        if not apply_gradients(network, optimizer, settings.lr, context.all_reduce):
            bad = [term for term, value in terms.items() if not torch.isfinite(value)]
            # Every rank stops here; one whose own terms are sound must not be blamed.
            where = f"{', '.join(bad)} on rank {context.rank}" if bad else f"the gradient of {name}"
            raise NonFiniteLossError(
                f"{where} became NaN or infinite at image {cur_nimg} and the step was not taken: "
                "lower optimizer.lr or raise loss.r1_gamma, then train again"
            )
    update_ema(nets.G_ema, nets.G, settings.ema_decay)
    return terms
