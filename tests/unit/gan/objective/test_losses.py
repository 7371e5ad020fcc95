"""Every adversarial loss against values and gradients computed by hand."""

import math

import pytest
import torch

from gan.objective.losses import LOSSES

REAL, FAKE = [0.0, 2.0, -1.0, 3.0], [0.0, -1.0, 1.0, -0.5]


def softplus(x):
    return math.log(1 + math.exp(x))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def relu(x):
    return max(x, 0.0)


def slope_of_relu(x):
    return float(x > 0)


D_LOSS = {
    "relativistic": lambda real, fake: softplus(fake - real),
    "nonsaturating": lambda real, fake: softplus(-real) + softplus(fake),
    "minimax": lambda real, fake: -math.log(sigmoid(real)) - math.log(1 - sigmoid(fake)),
    "hinge": lambda real, fake: relu(1 - real) + relu(1 + fake),
    "wasserstein": lambda real, fake: fake - real,
}
G_LOSS = {
    "relativistic": lambda real, fake: softplus(real - fake),
    "nonsaturating": lambda real, fake: -math.log(sigmoid(fake)),
    "minimax": lambda real, fake: math.log(1 - sigmoid(fake)),
    "hinge": lambda real, fake: -fake,
    "wasserstein": lambda real, fake: -fake,
}
D_SLOPES = {
    "relativistic": lambda real, fake: (-sigmoid(fake - real), sigmoid(fake - real)),
    "nonsaturating": lambda real, fake: (sigmoid(real) - 1, sigmoid(fake)),
    "minimax": lambda real, fake: (sigmoid(real) - 1, sigmoid(fake)),
    "hinge": lambda real, fake: (-slope_of_relu(1 - real), slope_of_relu(1 + fake)),
    "wasserstein": lambda real, fake: (-1.0, 1.0),
}
G_SLOPES = {
    "relativistic": lambda real, fake: (sigmoid(real - fake), -sigmoid(real - fake)),
    "nonsaturating": lambda real, fake: (0.0, sigmoid(fake) - 1),
    "minimax": lambda real, fake: (0.0, -sigmoid(fake)),
    "hinge": lambda real, fake: (0.0, -1.0),
    "wasserstein": lambda real, fake: (0.0, -1.0),
}


def test_the_formulas_here_are_of_all_kinds_there_are():
    assert set(LOSSES) == set(D_LOSS) == set(G_LOSS) == set(D_SLOPES) == set(G_SLOPES)


def test_losses_in_numbers():
    real, fake = torch.tensor([1.5]), torch.tensor([0.5])
    found = {
        kind: (loss.discriminator(real, fake).item(), loss.generator(real, fake).item())
        for kind, loss in LOSSES.items()
    }
    wanted = {
        "relativistic": (0.31326169, 1.31326169),
        "nonsaturating": (0.20141328 + 0.97407698, 0.47407698),
        "minimax": (0.20141328 + 0.97407698, -0.97407698),
        "hinge": (1.5, -0.5),
        "wasserstein": (-1.0, -0.5),
    }
    for kind, pair in wanted.items():
        assert found[kind] == pytest.approx(pair, rel=1e-6), kind


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_losses_of_four_pairs(kind):
    real, fake = torch.tensor(REAL), torch.tensor(FAKE)
    for found, formula in ((LOSSES[kind].discriminator, D_LOSS[kind]), (LOSSES[kind].generator, G_LOSS[kind])):
        values = found(real, fake)
        assert values.shape == (4,)
        assert values.tolist() == pytest.approx([formula(*pair) for pair in zip(REAL, FAKE, strict=True)], rel=1e-5)


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_gradients_by_both_logits(kind):
    # the corner of hinge at a logit of -1 or 1 has no gradient to test
    real_values, fake_values = [0.0, 2.0, -1.5, 0.25], [0.0, -2.0, 1.0, -0.5]
    for loss, slopes in ((LOSSES[kind].discriminator, D_SLOPES[kind]), (LOSSES[kind].generator, G_SLOPES[kind])):
        real, fake = (torch.tensor(values, requires_grad=True) for values in (real_values, fake_values))
        by_real, by_fake = torch.autograd.grad(
            loss(real, fake).sum(), [real, fake], allow_unused=True, materialize_grads=True
        )
        wanted = [slopes(*pair) for pair in zip(real_values, fake_values, strict=True)]
        found = list(zip(by_real.tolist(), by_fake.tolist(), strict=True))
        assert found == [pytest.approx(pair, rel=1e-5, abs=1e-7) for pair in wanted]


@pytest.mark.parametrize("kind", sorted(LOSSES))
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_large_logits_stay_finite(kind, size):
    real = torch.tensor([size, -size, size, -size], requires_grad=True)
    fake = torch.tensor([-size, size, size, -size], requires_grad=True)
    for loss in (LOSSES[kind].discriminator, LOSSES[kind].generator):
        values = loss(real, fake)
        slopes = torch.autograd.grad(values.sum(), [real, fake], allow_unused=True, materialize_grads=True)
        assert torch.isfinite(values).all()
        assert all(torch.isfinite(slope).all() and slope.abs().max() <= 1 for slope in slopes)


def test_a_relativistic_discriminator_is_free_to_shift_its_logits():
    real, fake = torch.tensor([1e4, -1e4]), torch.tensor([-1e4, 1e4])
    relativistic = LOSSES["relativistic"]
    assert relativistic.discriminator(real, fake).tolist() == [0.0, 2e4]
    assert relativistic.generator(real, fake).tolist() == [2e4, 0.0]
    assert torch.equal(relativistic.discriminator(real + 5, fake + 5), relativistic.discriminator(real, fake))


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_paired_says_whether_the_generators_loss_sees_real_logits(kind):
    fake = torch.tensor([0.3, -0.2])
    one, other = (LOSSES[kind].generator(torch.full((2,), real), fake) for real in (0.0, 7.0))
    assert LOSSES[kind].paired is not torch.equal(one, other)
