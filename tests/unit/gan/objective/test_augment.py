"""Differentiable augmentation: what each operation does, to which images, and that gradients come through."""

import pytest
import torch

from gan.keyed_random import Purpose, uniform
from gan.objective import augment as module
from gan.objective.augment import OPERATIONS, SPANS, augmentation_draws, numbers_of

ALL = tuple(OPERATIONS)
SEEDS = torch.arange(400) + 2**40


def pictures(count=400, channels=3, side=8, dtype=torch.float32):
    torch.manual_seed(0)
    return torch.randn(count, channels, side, side, dtype=dtype) * 0.4


def augment(images, seeds, operations, probability):
    return module.augment(images, augmentation_draws(seeds, numbers_of(operations)), operations, probability)


def draws_of(name, seeds):
    """The numbers [N, 4] that an operation draws for each image: whether it is applied, then three of its own."""
    return uniform(seeds, Purpose.AUGMENT, numbers_of(SPANS))[:, SPANS[name]]


def test_no_operations_and_probability_0_are_the_identity():
    images = pictures()
    assert augment(images, SEEDS, (), 1.0) is images
    assert torch.equal(augment(images, SEEDS, ALL, 0.0), images)
    assert torch.equal(augment(images, SEEDS, ALL, torch.tensor(0.0)), images)


@pytest.mark.parametrize("name", ["colour", "cutout"])
def test_at_probability_1_every_image_is_changed(name):
    images = pictures(side=8).clamp(0.1)
    found = augment(images, SEEDS, (name,), 1.0)
    changed = (found != images).flatten(1).any(1)
    assert changed.all()


@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_a_share_of_the_images_is_changed(probability):
    images = pictures()
    found = augment(images, SEEDS, ("colour",), torch.tensor(probability))
    changed = (found != images).flatten(1).any(1)
    assert changed.float().mean().item() == pytest.approx(probability, abs=0.08)
    assert torch.equal(changed, draws_of("colour", SEEDS)[:, 0] < probability)
    always = augment(images, SEEDS, ("colour",), 1.0)
    assert torch.equal(found[changed], always[changed])


def test_operations_are_chosen_independently():
    chosen = torch.stack([draws_of(name, torch.arange(4000))[:, 0] < 0.5 for name in ALL]).float()
    assert (torch.corrcoef(chosen) - torch.eye(len(ALL))).abs().max() < 0.06


@pytest.mark.parametrize("name", ALL)
def test_what_is_done_to_an_image_follows_from_its_seed_alone(name):
    images = pictures(20)
    together = augment(images, SEEDS[:20], (name,), 0.8)
    order = torch.randperm(20)
    assert torch.equal(augment(images[order], SEEDS[:20][order], (name,), 0.8), together[order])
    for index in range(3):
        alone = augment(images[index : index + 1], SEEDS[index : index + 1], (name,), 0.8)
        torch.testing.assert_close(alone[0], together[index], rtol=0, atol=1e-6)
    assert not torch.equal(augment(images, SEEDS[20:40], (name,), 0.8), together)


@pytest.mark.parametrize("name", ALL)
def test_what_an_operation_does_does_not_depend_on_the_others(name):
    # the draws are by the name's place among all, not by its place in the run's list
    images = pictures(20)
    alone = augment(images, SEEDS[:20], (name,), 1.0)
    ignored = draws_of(name, SEEDS[:20]).clone()
    assert torch.equal(alone, OPERATIONS[name](images, ignored[:, 1:]))


def test_operations_follow_each_other_in_the_order_given():
    images = pictures(20)
    one = augment(augment(images, SEEDS[:20], ("translation",), 1.0), SEEDS[:20], ("cutout",), 1.0)
    assert torch.equal(augment(images, SEEDS[:20], ("translation", "cutout"), 1.0), one)
    other = augment(images, SEEDS[:20], ("cutout", "translation"), 1.0)
    assert not torch.equal(one, other)


def test_flip_mirrors_half_of_the_images():
    images = pictures()
    found = augment(images, SEEDS, ("flip",), 1.0)
    mirrored = (found == images.flip(3)).flatten(1).all(1)
    same = (found == images).flatten(1).all(1)
    assert torch.equal(mirrored, ~same)
    assert 160 < mirrored.sum() < 240


@pytest.mark.parametrize(("side", "most"), [(8, 1), (16, 2), (32, 4), (28, 4), (4, 1)])
def test_translation_moves_pixels_by_at_most_an_eighth_of_the_side(side, most):
    images = pictures(200, 1, side)
    seeds = SEEDS[:200]
    found = augment(images, seeds, ("translation",), 1.0)
    draws = draws_of("translation", seeds)
    seen = set()
    for image, moved, (_, by_y, by_x, _) in zip(images, found, draws.tolist(), strict=True):
        down, right = (int(draw * (2 * most + 1)) - most for draw in (by_y, by_x))
        seen |= {down, right}
        wanted = torch.zeros_like(image)
        for y in range(max(0, down), min(side, side + down)):
            left, end = max(0, right), min(side, side + right)
            wanted[:, y, left:end] = image[:, y - down, left - right : end - right]
        assert torch.equal(moved, wanted)
    assert seen == set(range(-most, most + 1))


def test_translation_by_hand():
    image = torch.arange(1.0, 65.0).view(1, 1, 8, 8)
    # of three places, the draw 0.9 takes the last and 0.0 the first: one down, one to the left
    found = OPERATIONS["translation"](image, torch.tensor([[0.9, 0.0, 0.5]]))
    wanted = torch.zeros(8, 8)
    wanted[1:, :7] = image[0, 0, :7, 1:]
    assert torch.equal(found[0, 0], wanted)


@pytest.mark.parametrize(("side", "width"), [(8, 4), (28, 14), (14, 7), (4, 2)])
def test_cutout_is_a_square_of_half_the_side_with_its_centre_in_the_image(side, width):
    seeds = torch.arange(3000)
    found = augment(torch.ones(3000, 2, side, side), seeds, ("cutout",), 1.0)
    assert set(found.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(found[:, 0], found[:, 1])
    hole = found[:, 0] == 0
    heights, widths = hole.any(2).sum(1), hole.any(1).sum(1)
    assert torch.equal(hole.flatten(1).sum(1), heights * widths)
    starts = []
    for cut in (hole.any(2), hole.any(1)):
        first = cut.int().argmax(1)
        size = cut.sum(1)
        assert size.max() == width
        inside = (first > 0) & (first + size < side)
        assert (size[inside] == width).all()
        starts.append(torch.where(first > 0, first, first + size - width))
    for start in starts:
        assert start.min() == -(width // 2)
        assert start.max() == side - width // 2 - width % 2
        # every place is equally likely
        counts = torch.bincount(start - start.min())
        expected = len(seeds) / len(counts)
        assert ((counts - expected).abs() < 5 * expected**0.5).all()
    assert abs(torch.corrcoef(torch.stack(starts).float())[0, 1]) < 0.08


def test_colour_is_brightness_then_saturation_then_contrast():
    images = pictures(50)
    seeds = SEEDS[:50]
    found = augment(images, seeds, ("colour",), 1.0)
    for image, result, (_, brightness, saturation, contrast) in zip(
        images, found, draws_of("colour", seeds).double().tolist(), strict=True
    ):
        lighter = image + brightness - 0.5
        grey = lighter.mean(0)
        coloured = torch.stack([grey + (channel - grey) * 2 * saturation for channel in lighter])
        mean = coloured.mean()
        torch.testing.assert_close(result, mean + (coloured - mean) * (contrast + 0.5), rtol=1e-4, atol=1e-5)
        # saturation and contrast turn about the mean, which brightness alone moves
        assert result.mean().item() == pytest.approx(image.mean().item() + brightness - 0.5, abs=1e-5)
        spread = ((result.mean(0) - mean).std() / (image.mean(0) - image.mean()).std()).item()
        assert spread == pytest.approx(contrast + 0.5, rel=1e-4)


def test_colour_leaves_a_grey_image_grey():
    images = pictures(30, 1)
    found = augment(images.expand(30, 3, 8, 8), SEEDS[:30], ("colour",), 1.0)
    torch.testing.assert_close(found, found[:, :1].expand(30, 3, 8, 8))
    torch.testing.assert_close(augment(images, SEEDS[:30], ("colour",), 1.0), found[:, :1])


@pytest.mark.parametrize("name", ALL)
def test_gradients_come_through(name):
    seeds = SEEDS[:4]
    draws = draws_of(name, seeds)[:, 1:].double()

    def operation(images):
        return OPERATIONS[name](images, draws)

    images = pictures(4, 3, 4, torch.float64).requires_grad_(True)
    assert torch.autograd.gradcheck(operation, images, fast_mode=True)
    assert torch.autograd.gradgradcheck(operation, images, fast_mode=True)


def test_gradients_come_through_all_operations_and_past_those_not_applied():
    images = pictures(50).requires_grad_(True)
    found = augment(images, SEEDS[:50], ALL, 0.5)
    weights = torch.randn_like(images)
    (by_images,) = torch.autograd.grad((found * weights).sum(), images)
    # every operation is linear, but for what brightness adds: a shift by any image changes the result by its gradient
    shift = torch.randn_like(images)
    moved = augment(images.detach() + shift, SEEDS[:50], ALL, 0.5)
    by_hand = ((moved - found.detach()) * weights).flatten(1).sum(1)
    torch.testing.assert_close((by_images * shift).flatten(1).sum(1), by_hand, rtol=1e-4, atol=1e-3)
    assert (by_images.flatten(1).abs().amax(1) > 0).all()


def test_what_is_cut_out_or_moved_out_has_no_gradient():
    images = torch.ones(50, 1, 8, 8, requires_grad=True)
    found = augment(images, SEEDS[:50], ("cutout",), 1.0)
    (by_images,) = torch.autograd.grad(found.sum(), images)
    assert torch.equal(by_images, found)


def test_an_empty_slice():
    assert augment(torch.zeros(0, 3, 8, 8), SEEDS[:0], ALL, 0.5).shape == (0, 3, 8, 8)


def test_each_operation_has_numbers_of_its_own_that_another_never_moves():
    """Those of runs of before stay where they were."""
    taken = [(name, span.start, span.stop) for name, span in SPANS.items()]
    assert taken[:4] == [("flip", 0, 4), ("colour", 4, 8), ("translation", 8, 12), ("cutout", 12, 16)]
    assert taken[4:] == [("ada-geometry", 16, 34), ("ada-colour", 34, 44)]
    assert [numbers_of(names) for names in ((), ("colour",), ("cutout", "flip"), ("ada-colour",))] == [0, 8, 16, 44]


def test_of_ada_every_part_is_chosen_alone_and_colours_by_their_share():
    images = pictures(300)
    for name in ("ada-geometry", "ada-colour"):
        assert torch.allclose(augment(images, SEEDS[:300], (name,), 0.0), images, atol=2e-2)
        changed = [
            (augment(images, SEEDS[:300], (name,), probability) - images).abs().flatten(1).amax(1) > 0.05
            for probability in (0.1, 0.5, 1.0)
        ]
        shares = [each.float().mean().item() for each in changed]
        assert 0.2 < shares[0] < shares[1] < 1.0
        assert shares[2] > 0.95
    draws = augmentation_draws(SEEDS[:300], 44)
    half = module.augment(images, draws, ("ada-colour",), 1.0, 0.5)
    assert torch.equal(half, module.augment(images, draws, ("ada-colour",), 0.5))
