"""The objective's gradients against a reference written plainly: a pass for each side, a gradient for each."""

import pytest
import torch
from torch import nn

from gan.keyed_random import Purpose, derive, uniform
from gan.networks.dcgan import DCDiscriminator
from gan.networks.r3gan import R3Discriminator
from gan.objective.augment import augment, augmentation_draws
from gan.objective.gradients import ImagePairs, Objective, PenaltyWeights
from gan.objective.losses import LOSSES

COUNT, BATCH = 5, 8
SIDE = 8


def discriminator(*, std=0.4, **changes):
    shape = {"base": 4, "channels": 3, "num_classes": 3, "embedding_dim": 4, "widths": (8, 8), "blocks_per_stage": 2}
    torch.manual_seed(0)
    blocks = {
        "group_width": 4,
        "expansion": 2,
        "patch": 1,
        "class_scale": "unit",
        "transitions": "all",
        "fp32_stages": 1,
    }
    D = R3Discriminator(**shape | blocks | changes)
    for parameter in D.parameters():
        nn.init.normal_(parameter, std=std)
    return D


def dcgan_discriminator(**changes):
    shape = {"base": 4, "channels": 3, "num_classes": 3, "embedding_dim": 4, "widths": (8,), "normalisation": "none"}
    torch.manual_seed(0)
    D = DCDiscriminator(**shape | changes)
    for parameter in D.parameters():
        nn.init.normal_(parameter, std=0.3)
    return D


def shown(probability=0.0):
    generator = torch.Generator().manual_seed(1)
    real, fake = torch.randn(2, COUNT, 3, SIDE, SIDE, generator=generator).unbind()
    labels, seeds = torch.tensor([0, 1, 2, 0, 1]), torch.arange(COUNT) + 2**33
    return pairs_of(real, fake, labels, seeds, probability)


def pairs_of(real, fake, labels, seeds, probability):
    """With everything drawn from the seeds, as a feed does."""
    fake_seeds = derive(seeds, Purpose.FAKE_KEY)
    draws = torch.stack([augmentation_draws(each, 44) for each in (seeds, fake_seeds)], dim=1)
    return ImagePairs(real, fake, labels, seeds, fake_seeds, draws, torch.tensor(probability))


def weights(r1=0.7, r2=0.3, between=10.0):
    return PenaltyWeights(*torch.tensor([r1, r2, between]))


def plain_reference(D, kind, pairs, *, zero_centred=None, between=None):
    """D's gradients as the papers write them; images as they are, real and fake each in a pass of their own."""
    real, fake = (images.clone().requires_grad_(True) for images in (pairs.real_images, pairs.fake_images))
    real_logits, fake_logits = D(real, pairs.labels, pairs.seeds), D(fake, pairs.labels, pairs.seeds)
    difference = real_logits - fake_logits
    losses = {
        "relativistic": torch.log1p(torch.exp(-difference)),
        "hinge": (1 - real_logits).clamp(min=0) + (1 + fake_logits).clamp(min=0),
        "wasserstein": -difference,
    }
    total = losses[kind].sum()
    if zero_centred:
        for gamma, logits, images in ((zero_centred[0], real_logits, real), (zero_centred[1], fake_logits, fake)):
            (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
            total = total + gamma / 2 * (slope**2).sum()
    if between:
        shares = uniform(pairs.seeds, Purpose.INTERPOLATE, 1)[:, :, None, None]
        points = ((1 - shares) * pairs.real_images + shares * pairs.fake_images).requires_grad_(True)
        (slope,) = torch.autograd.grad(D(points, pairs.labels, pairs.seeds).sum(), points, create_graph=True)
        total = total + between * ((slope.flatten(1).norm(dim=1) - 1) ** 2).sum()
    return torch.autograd.grad(total / BATCH, list(D.parameters()), allow_unused=True, materialize_grads=True)


def assert_close(found, wanted):
    largest = max(gradient.abs().max().item() for gradient in wanted)
    assert largest > 1e-2
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * largest)


@pytest.mark.parametrize(
    ("kind", "penalties"),
    [
        ("relativistic", {"zero_centred": (0.7, 0.3)}),
        ("relativistic", {}),
        ("hinge", {"zero_centred": (0.7, 0.0)}),
        ("hinge", {}),
        ("wasserstein", {"between": 10.0}),
        ("wasserstein", {"between": 10.0, "zero_centred": (0.7, 0.3)}),
    ],
)
@pytest.mark.parametrize("patch", [1, 2])
def test_one_pass_gives_the_gradients_of_separate_passes(kind, penalties, patch):
    D = discriminator(patch=patch, widths=(8, 8) if patch == 1 else (8,))
    zero_centred = "zero_centred" in penalties
    objective = Objective(LOSSES[kind], r1=zero_centred, r2=zero_centred, between="between" in penalties)
    r1, r2 = penalties.get("zero_centred", (0.0, 0.0))
    found, terms = objective.discriminator_gradients(D, shown(), BATCH, weights(r1, r2) if penalties else None)
    assert_close(found, plain_reference(D, kind, shown(), **penalties))
    expected = {"D_loss", "real_logits", "fake_logits", "D_sign"}
    expected |= {"r1", "r2"} if "zero_centred" in penalties else set()
    expected |= {"gradient_penalty"} if "between" in penalties else set()
    assert set(terms) == expected
    assert all(value.shape == () and value.dtype == torch.float32 for value in terms.values())
    assert not any(value.requires_grad for value in (*terms.values(), *found))


def test_each_penalty_has_its_own_weight():
    D = discriminator()
    objective = Objective(LOSSES["relativistic"])

    def found(r1, r2):
        gradients, _ = objective.discriminator_gradients(D, shown(), BATCH, weights(r1, r2))
        return torch.cat([gradient.flatten() for gradient in gradients])

    base, r1, r2 = found(0.0, 0.0), found(1.0, 0.0), found(0.0, 1.0)
    assert not torch.allclose(r1, r2)
    torch.testing.assert_close(found(2.0, 3.0), base + 2 * (r1 - base) + 3 * (r2 - base), rtol=1e-3, atol=1e-4)


def test_terms_are_sums_over_the_slice_by_hand():
    D, pairs = discriminator(), shown()
    objective = Objective(LOSSES["relativistic"], between=True)
    _, terms = objective.discriminator_gradients(D, pairs, BATCH, weights())
    real, fake = (images.clone().requires_grad_(True) for images in (pairs.real_images, pairs.fake_images))
    real_logits, fake_logits = (D(images, pairs.labels, pairs.seeds) for images in (real, fake))
    norms = [
        torch.autograd.grad(logits.sum(), images)[0].square().sum().item()
        for logits, images in ((real_logits, real), (fake_logits, fake))
    ]
    found = {name: value.item() for name, value in terms.items()}
    assert found["D_loss"] == pytest.approx(torch.log1p(torch.exp(fake_logits - real_logits)).sum().item(), rel=1e-4)
    assert found["real_logits"] == pytest.approx(real_logits.sum().item(), rel=1e-4)
    assert found["fake_logits"] == pytest.approx(fake_logits.sum().item(), rel=1e-4)
    assert found["D_sign"] == (real_logits - fake_logits).sign().sum().item()
    assert [found["r1"], found["r2"]] == pytest.approx(norms, rel=1e-4)


def test_the_sign_is_of_the_real_logits_where_pairs_mean_nothing():
    D, pairs = discriminator(), shown()
    _, terms = Objective(LOSSES["hinge"]).discriminator_gradients(D, pairs, BATCH, None)
    assert terms["D_sign"] == D(pairs.real_images, pairs.labels, pairs.seeds).sign().sum()


def test_both_phases_leave_weights_and_their_gradients_alone():
    D = discriminator()
    before = [parameter.clone() for parameter in D.parameters()]
    objective = Objective(LOSSES["relativistic"])
    objective.discriminator_gradients(D, shown(), BATCH, weights())
    objective.image_gradients(D, shown(), BATCH)
    for parameter, value in zip(D.parameters(), before, strict=True):
        assert torch.equal(parameter, value)
        assert parameter.grad is None
        assert parameter.requires_grad


@pytest.mark.parametrize("kind", ["relativistic", "nonsaturating", "minimax", "hinge", "wasserstein"])
def test_what_the_generator_learns_from(kind):
    D, pairs = discriminator(), shown()
    gradient, terms = Objective(LOSSES[kind]).image_gradients(D, pairs, BATCH)
    fake = pairs.fake_images.clone().requires_grad_(True)
    real_logits, fake_logits = (D(images, pairs.labels, pairs.seeds) for images in (pairs.real_images, fake))
    loss = {
        "relativistic": torch.log1p(torch.exp(real_logits - fake_logits)),
        "nonsaturating": torch.log1p(torch.exp(-fake_logits)),
        "minimax": -torch.log1p(torch.exp(fake_logits)),
        "hinge": -fake_logits,
        "wasserstein": -fake_logits,
    }[kind].sum()
    (wanted,) = torch.autograd.grad(loss / BATCH, fake)
    assert_close([gradient], [wanted])
    assert terms["G_loss"].item() == pytest.approx(loss.item(), rel=1e-4)
    assert not gradient.requires_grad


OPERATIONS = ("flip", "colour", "translation", "cutout")


def test_both_sides_are_augmented_each_by_draws_of_its_own():
    D, pairs = discriminator(), shown(0.6)
    objective = Objective(LOSSES["relativistic"], OPERATIONS)
    found, _ = objective.discriminator_gradients(D, pairs, BATCH, weights())
    real = augment(pairs.real_images, augmentation_draws(pairs.seeds, 44), OPERATIONS, 0.6)
    fake = augment(pairs.fake_images, augmentation_draws(pairs.fake_seeds, 44), OPERATIONS, 0.6)
    assert not torch.equal(real, pairs.real_images)
    as_seen = pairs_of(real, fake, pairs.labels, pairs.seeds, 0.0)
    # penalties are on the gradient by what D sees, not by the images before
    assert_close(found, plain_reference(D, "relativistic", as_seen, zero_centred=(0.7, 0.3)))


@pytest.mark.parametrize("operations", [OPERATIONS, ("ada-geometry", "ada-colour", "cutout")])
def test_penalties_by_the_images_go_through_the_augmentation_as_published(operations):
    """As in R3GAN's code: the pipe lies between the images that the gradient is taken by, and D."""
    D, pairs = discriminator(), shown(0.6)
    objective = Objective(LOSSES["relativistic"], operations, penalty_input="images")
    found, terms = objective.discriminator_gradients(D, pairs, BATCH, weights())
    sides = {"r1": (pairs.real_images, pairs.seeds), "r2": (pairs.fake_images, derive(pairs.seeds, Purpose.FAKE_KEY))}
    logits, norms = {}, {}
    for name, (images, seeds) in sides.items():
        leaf = images.clone().requires_grad_(True)
        logits[name] = D(augment(leaf, augmentation_draws(seeds, 44), operations, 0.6), pairs.labels, seeds)
        (slope,) = torch.autograd.grad(logits[name].sum(), leaf, create_graph=True)
        norms[name] = slope.square().sum()
    loss = torch.log1p(torch.exp(logits["r2"] - logits["r1"])).sum() + 0.35 * norms["r1"] + 0.15 * norms["r2"]
    assert_close(found, torch.autograd.grad(loss / BATCH, list(D.parameters())))
    assert [terms["r1"].item(), terms["r2"].item()] == pytest.approx([norm.item() for norm in norms.values()], rel=1e-4)
    _, as_seen = Objective(LOSSES["relativistic"], operations).discriminator_gradients(D, pairs, BATCH, weights())
    assert as_seen["r1"].item() != pytest.approx(terms["r1"].item(), rel=0.01)


@pytest.mark.parametrize("alone", ["r1", "r2"])
def test_one_penalty_alone(alone):
    """That it costs half of both is shown where operations are counted: tests of gan.networks.cost."""
    D, pairs = discriminator(), shown()
    wanted = {"r1": 0.7 * (alone == "r1"), "r2": 0.3 * (alone == "r2")}
    objective = Objective(LOSSES["relativistic"], r1=alone == "r1", r2=alone == "r2")
    passes = halves(D)
    gradients, terms = objective.discriminator_gradients(D, pairs, BATCH, weights(**wanted))
    assert {"r1", "r2"} & set(terms) == {alone}
    assert_close(gradients, plain_reference(D, "relativistic", pairs, zero_centred=tuple(wanted.values())))
    assert [images.requires_grad for images, _, _ in passes[:2]] == [alone == "r1", alone == "r2"]


def test_gradients_reach_the_fakes_through_augmentation():
    D, pairs = discriminator(), shown(1.0)
    gradient, _ = Objective(LOSSES["relativistic"], OPERATIONS).image_gradients(D, pairs, BATCH)
    fake = pairs.fake_images.clone().requires_grad_(True)
    seen = augment(fake, augmentation_draws(pairs.fake_seeds, 44), OPERATIONS, 1.0)
    real = augment(pairs.real_images, augmentation_draws(pairs.seeds, 44), OPERATIONS, 1.0)
    margin = D(real, pairs.labels, pairs.seeds) - D(seen, pairs.labels, pairs.seeds)
    (wanted,) = torch.autograd.grad(torch.log1p(torch.exp(margin)).sum() / BATCH, fake)
    assert_close([gradient], [wanted])
    assert (gradient.flatten(1).abs().amax(1) > 0).all()


def test_images_outside_the_probability_are_shown_as_they_are():
    D, pairs = discriminator(), shown(0.0)
    plain, _ = Objective(LOSSES["relativistic"]).discriminator_gradients(D, pairs, BATCH, weights())
    augmented, _ = Objective(LOSSES["relativistic"], OPERATIONS).discriminator_gradients(D, pairs, BATCH, weights())
    assert all(torch.equal(*pair) for pair in zip(plain, augmented, strict=True))


def halves(D):
    """Remember the inputs of each pass through D."""
    seen = []
    D.register_forward_pre_hook(lambda module, inputs: seen.append([part.clone() for part in inputs]))
    return seen


def test_under_batch_normalisation_real_and_fake_pass_apart():
    D, pairs = dcgan_discriminator(normalisation="batch", widths=(8, 8), base=2), shown()
    seen = halves(D)
    found, _ = Objective(LOSSES["nonsaturating"], r1=False, r2=False).discriminator_gradients(D, pairs, BATCH, None)
    assert [len(images) for images, _, _ in seen] == [COUNT, COUNT]
    assert torch.equal(seen[0][0], pairs.real_images)
    assert torch.equal(seen[1][0], pairs.fake_images)
    assert all(torch.equal(labels, pairs.labels) for _, labels, _ in seen)
    real_logits, fake_logits = (D(part, pairs.labels, pairs.seeds) for part in (pairs.real_images, pairs.fake_images))
    loss = torch.log1p(torch.exp(-real_logits)).sum() + torch.log1p(torch.exp(fake_logits)).sum()
    assert_close(found, torch.autograd.grad(loss / BATCH, list(D.parameters())))
    together = D(torch.cat([pairs.real_images, pairs.fake_images]), pairs.labels.repeat(2), pairs.seeds.repeat(2))
    assert not torch.allclose(together[:COUNT], real_logits, atol=1e-2)


def test_without_it_both_pass_together_and_draw_dropout_apart():
    D, pairs = dcgan_discriminator(dropout=0.3), shown()
    seen = halves(D)
    objective = Objective(LOSSES["nonsaturating"])
    objective.discriminator_gradients(D, pairs, BATCH, weights())
    ((images, labels, seeds),) = seen
    assert torch.equal(images, torch.cat([pairs.real_images, pairs.fake_images]))
    assert torch.equal(labels, pairs.labels.repeat(2))
    assert torch.equal(seeds, torch.cat([pairs.seeds, derive(pairs.seeds, Purpose.FAKE_KEY)]))
    assert len(set(seeds.tolist())) == 2 * COUNT
    seen.clear()
    objective.image_gradients(D, pairs, BATCH)
    ((_, _, fake_seeds),) = seen
    assert torch.equal(fake_seeds, seeds[COUNT:])


def test_the_real_images_are_scored_for_the_generator_only_where_its_loss_is_paired():
    for kind, passes in (("relativistic", 2), ("nonsaturating", 1)):
        D = discriminator()
        seen = halves(D)
        Objective(LOSSES[kind]).image_gradients(D, shown(), BATCH)
        assert len(seen) == passes


@pytest.mark.parametrize("kind", ["relativistic", "wasserstein"])
def test_bf16_agrees_with_fp32_within_its_rounding(kind):
    # weights of the size that training gives them: larger ones turn a rounding into the other side of a leaky ReLU
    D, pairs = discriminator(blocks_per_stage=1, std=0.15), shown()
    found = {}
    for bf16 in (False, True):
        objective = Objective(LOSSES[kind], between=kind == "wasserstein", bf16=bf16)
        gradients, terms = objective.discriminator_gradients(D, pairs, BATCH, weights(0.1, 0.1, 1.0))
        by_images, losses = objective.image_gradients(D, pairs, BATCH)
        assert {value.dtype for value in (*gradients, by_images, *terms.values(), *losses.values())} == {torch.float32}
        found[bf16] = torch.cat([gradient.flatten() for gradient in gradients]), by_images.flatten(), terms
    for exact, rounded in zip(found[False][:2], found[True][:2], strict=True):
        assert ((rounded - exact).norm() / exact.norm()).item() < 0.05
        assert not torch.equal(exact, rounded)
    for name, value in found[False][2].items():
        assert found[True][2][name].item() == pytest.approx(value.item(), rel=0.05, abs=0.2), name


@pytest.mark.parametrize("D", [dcgan_discriminator(normalisation="spectral", dropout=0.2), dcgan_discriminator()])
def test_bf16_of_dcgan(D):
    pairs = shown()
    exact, _ = Objective(LOSSES["hinge"]).discriminator_gradients(D.eval(), pairs, BATCH, weights())
    rounded, _ = Objective(LOSSES["hinge"], bf16=True).discriminator_gradients(D, pairs, BATCH, weights())
    exact, rounded = (torch.cat([gradient.flatten() for gradient in found]) for found in (exact, rounded))
    assert ((rounded - exact).norm() / exact.norm()).item() < 0.05


def test_an_empty_slice_gives_zeros():
    D, full = discriminator(), shown()
    empty = pairs_of(full.real_images[:0], full.fake_images[:0], full.labels[:0], full.seeds[:0], 0.5)
    objective = Objective(LOSSES["relativistic"], OPERATIONS, between=True)
    gradients, terms = objective.discriminator_gradients(D, empty, BATCH, weights())
    assert all(gradient.abs().max() == 0 for gradient in gradients)
    assert {name: value.item() for name, value in terms.items()} == dict.fromkeys(terms, 0.0)
    by_images, losses = objective.image_gradients(D, empty, BATCH)
    assert by_images.shape == (0, 3, SIDE, SIDE)
    assert losses["G_loss"].item() == 0.0


class Several(nn.Module):
    """Judges an image by three parts, each with a weight of its own."""

    mixes_images = False

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.weight = nn.Parameter(torch.randn(3 * SIDE * SIDE, 3) / SIDE)

    def forward(self, images, labels, seeds):
        return torch.tanh(images.flatten(1) @ self.weight) * 2.0


@pytest.mark.parametrize("kind", LOSSES)
def test_of_several_logits_each_has_its_own_loss_and_the_image_their_mean(kind):
    D, pairs, loss = Several(), shown(), LOSSES[kind]
    found, terms = Objective(loss, r1=False, r2=False).discriminator_gradients(D, pairs, BATCH, None)
    total = 0.0
    for part in range(3):
        one, other = (D(images, None, None)[:, part] for images in (pairs.real_images, pairs.fake_images))
        total = total + loss.discriminator(one, other).sum() / 3
    (wanted,) = torch.autograd.grad(total / BATCH, D.weight)
    torch.testing.assert_close(found[0], wanted)
    assert terms["D_loss"].item() == pytest.approx(total.item(), rel=1e-5)
    assert terms["real_logits"].item() == pytest.approx(D(pairs.real_images, None, None).mean(1).sum().item(), rel=1e-5)


def test_parts_that_a_hinge_has_satisfied_learn_nothing_while_others_do():
    D, pairs = Several(), shown()
    with torch.no_grad():
        D.weight[:, 0] = 0.0
    sure = torch.tensor([50.0, 0.0, 0.0])  # real and fake alike are far on their side for the first part
    D.forward = lambda images, labels, seeds: (images.flatten(1) @ D.weight) + sure * images.flatten(1)[:, :1].sign()
    pairs = pairs_of(pairs.real_images.abs() + 0.1, -pairs.fake_images.abs() - 0.1, pairs.labels, pairs.seeds, 0.0)
    (gradient,), _ = Objective(LOSSES["hinge"], r1=False, r2=False).discriminator_gradients(D, pairs, BATCH, None)
    assert gradient[:, 0].abs().max() == 0.0
    assert gradient[:, 1].abs().max() > 0.0


def test_a_penalty_is_on_the_mean_of_several_logits():
    D, pairs = Several(), shown()
    _, terms = Objective(LOSSES["hinge"]).discriminator_gradients(D, pairs, BATCH, weights(1.0, 1.0))
    real = pairs.real_images.clone().requires_grad_(True)
    (slope,) = torch.autograd.grad(D(real, None, None).mean(1).sum(), real)
    assert terms["r1"].item() == pytest.approx(slope.square().sum().item(), rel=1e-5)


def test_the_generator_learns_from_the_mean_of_several_logits():
    D, pairs = Several(), shown()
    gradient, terms = Objective(LOSSES["hinge"]).image_gradients(D, pairs, BATCH)
    fake = pairs.fake_images.clone().requires_grad_(True)
    loss = -D(fake, None, None).mean(1).sum()
    (wanted,) = torch.autograd.grad(loss / BATCH, fake)
    torch.testing.assert_close(gradient, wanted)
    assert terms["G_loss"].item() == pytest.approx(loss.item(), rel=1e-5)
