"""Keyed randomness: published vectors, frozen draws, and that no two draws share a number."""

import hashlib
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gan import keyed_random
from gan.keyed_random import (
    Purpose,
    derive,
    epoch_order,
    image_seeds,
    integers,
    normal,
    random_bits,
    threefry2x32,
    uniform,
)

SEEDS = torch.tensor([0, 1, -1, 2**32, 2**32 + 7, 2**62, -(2**63), 2**63 - 1])
ANY_SEED = st.integers(-(2**63), 2**63 - 1)


def words(*values: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.tensor([values[0]]), torch.tensor([values[1]])


@pytest.mark.parametrize(
    ("counter", "key", "result"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x243F6A88, 0x85A308D3), (0x13198A2E, 0x03707344), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_random123s_published_vectors(counter, key, result):
    found = threefry2x32(words(*key), words(*counter))
    assert (found[0].item(), found[1].item()) == result


def test_latents_are_frozen():
    wanted = [
        ["0x1.0969d8p-5", "0x1.af6476p-3", "-0x1.91f1b0p-3"],
        ["0x1.0bece8p+0", "0x1.54458ep-5", "-0x1.6db31ap+0"],
        ["0x1.dd2afcp-1", "0x1.2a54f0p-1", "-0x1.887338p-3"],
        ["0x1.4ea8fcp-4", "0x1.6d0b88p-2", "-0x1.918efcp-2"],
        ["0x1.edb74ep-1", "-0x1.6f1016p+0", "-0x1.cabfe8p-1"],
        ["-0x1.0cea6ap+0", "-0x1.038d0ep-1", "0x1.a79d1cp-1"],
        ["-0x1.850338p-1", "0x1.fd2f62p-3", "0x1.4c4228p+0"],
        ["0x1.029ec6p-2", "0x1.0270ecp-2", "-0x1.0d5646p+0"],
    ]
    found = normal(SEEDS, Purpose.LATENT, 3)
    assert found.dtype == torch.float32
    assert found.tolist() == [[float.fromhex(value) for value in row] for row in wanted]


def test_other_draws_are_frozen():
    assert {purpose.name: int(purpose) for purpose in Purpose} == {
        "LATENT": 1,
        "LABEL": 2,
        "ORDER": 3,
        "FLIP": 4,
        "IMAGE_KEY": 5,
        "DROPOUT": 6,
        "FAKE_KEY": 7,
        "AUGMENT": 8,
        "INTERPOLATE": 9,
        "PROJECTION": 10,
        "MIXING": 11,
    }
    assert integers(SEEDS, Purpose.LABEL, 1000).tolist() == [393, 10, 140, 456, 449, 931, 321, 291]
    assert integers(SEEDS, Purpose.FLIP, 2).tolist() == [1, 0, 1, 1, 1, 0, 0, 0]
    indices = torch.tensor([0, 1, 2**32, 2**40 + 3])
    assert image_seeds(0, indices).tolist() == [
        -761329411469788968,
        -175813830925920037,
        -3879617072963478198,
        3551486029259263589,
    ]
    assert image_seeds(2**62 + 5, indices).tolist() == [
        -4703306557372387973,
        7775908395152709696,
        8360093799598547487,
        -4891330147624015876,
    ]


def test_uniform_draws_and_derived_seeds_are_frozen():
    wanted = [
        [2951204, 4889632],
        [11387507, 6935722],
        [2696976, 9969999],
        [13346735, 10995721],
        [2372530, 7854069],
        [9650414, 4942004],
        [5981270, 16566869],
        [8631914, 15932147],
    ]
    found = uniform(SEEDS, Purpose.AUGMENT, 2)
    assert found.dtype == torch.float32
    assert (found * 2**24).tolist() == wanted
    assert derive(SEEDS, Purpose.FAKE_KEY).tolist() == [
        8561165853724746330,
        -2324041912354448873,
        -1642605602515983295,
        -8364811694401387183,
        -3609595392931576934,
        -4573535277015745817,
        9144740984026575374,
        1084931772433504637,
    ]


def test_orders_are_frozen():
    assert epoch_order(0, 0, 10).tolist() == [3, 5, 8, 6, 7, 9, 2, 1, 4, 0]
    assert epoch_order(0, 1, 10).tolist() == [5, 8, 6, 7, 0, 9, 2, 3, 1, 4]
    assert epoch_order(2**62, 3, 10).tolist() == [0, 2, 8, 6, 9, 5, 7, 3, 1, 4]
    many = hashlib.sha256(epoch_order(7, 2, 100_000).numpy().astype("<i8").tobytes())
    assert many.hexdigest() == "a3bc25b936af8bb471ad78847a6e62e11e87de869f89ddb79d7e18d447d45933"


def test_integers_scale_the_first_word():
    word, _ = random_bits(SEEDS, Purpose.LABEL, 1)
    for bound in (1, 2, 3, 10, 2**31):
        assert integers(SEEDS, Purpose.LABEL, bound).tolist() == [w * bound // 2**32 for w in word[:, 0].tolist()]


def test_box_muller_of_the_two_words():
    word0, word1 = random_bits(SEEDS, Purpose.LATENT, 2)
    for row in range(len(SEEDS)):
        for column in range(2):
            radius = math.sqrt(-2 * math.log((word0[row, column].item() + 1) / 2**32))
            wanted = radius * math.cos(2 * math.pi * word1[row, column].item() / 2**32)
            assert normal(SEEDS, Purpose.LATENT, 2)[row, column].item() == pytest.approx(wanted, rel=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.lists(ANY_SEED, min_size=1, max_size=5), st.integers(1, 6), st.integers(1, 6))
def test_a_draw_depends_on_its_seed_and_dimension_alone(seeds, few, more):
    together = normal(torch.tensor(seeds), Purpose.LATENT, few + more)
    assert torch.isfinite(together).all()
    for row, seed in enumerate(seeds):
        assert torch.equal(normal(torch.tensor([seed]), Purpose.LATENT, few)[0], together[row, :few])


def test_no_two_seeds_purposes_or_dimensions_share_words():
    # Seeds that agree in one of their words, or in both up to sign, must not meet either.
    seeds = torch.tensor([0, 1, 2, -1, -2, 2**32, 2**32 + 1, 2**33, -(2**32)])
    pairs = []
    for purpose in Purpose:
        word0, word1 = random_bits(seeds, purpose, 50)
        pairs += ((word0 << 31) ^ word1).flatten().tolist()
    assert len(set(pairs)) == len(seeds) * len(Purpose) * 50


def test_normal_has_the_moments_of_a_normal():
    draws = normal(torch.arange(2000), Purpose.LATENT, 100).double()
    flat = draws.flatten()
    assert abs(flat.mean()) < 0.01
    assert abs(flat.var() - 1) < 0.01
    assert abs((flat**3).mean()) < 0.03
    assert abs((flat**4).mean() - 3) < 0.05
    shares = torch.searchsorted(flat.sort().values, torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).double()) / len(flat)
    assert shares.tolist() == pytest.approx([0.02275, 0.15866, 0.5, 0.84134, 0.97725], abs=0.003)
    correlations = torch.corrcoef(draws.T) - torch.eye(100)
    assert correlations.abs().max() < 0.12
    assert torch.corrcoef(draws[:100]).sub(torch.eye(100)).abs().max() < 0.5


def test_integers_are_uniform():
    counts = torch.bincount(integers(torch.arange(20_000), Purpose.LABEL, 10), minlength=10)
    assert len(counts) == 10
    assert (counts - 2000).abs().max() < 200


def test_uniform_draws_scale_the_first_word():
    word, _ = random_bits(SEEDS, Purpose.DROPOUT, 5)
    wanted = [[bits // 2**8 / 2**24 for bits in row] for row in word.tolist()]
    assert uniform(SEEDS, Purpose.DROPOUT, 5).tolist() == wanted


def test_uniform_draws_are_uniform_and_independent():
    draws = uniform(torch.arange(4000), Purpose.AUGMENT, 20)
    assert draws.min() >= 0
    assert draws.max() < 1
    counts = torch.histc(draws, bins=20, min=0, max=1)
    assert (counts - 4000).abs().max() < 5 * 4000**0.5
    assert (torch.corrcoef(draws.T) - torch.eye(20)).abs().max() < 0.08


def test_the_smallest_and_largest_words_stay_below_1(monkeypatch):
    monkeypatch.setattr(keyed_random, "random_bits", lambda *_: (torch.tensor([[0, 255, 256, 2**32 - 1]]), None))
    assert uniform(torch.tensor([0]), Purpose.AUGMENT, 4).tolist() == [[0.0, 0.0, 2**-24, 1 - 2**-24]]


def test_derived_seeds_are_both_words_and_all_differ():
    word0, word1 = random_bits(SEEDS, Purpose.FAKE_KEY, 1)
    found = derive(SEEDS, Purpose.FAKE_KEY)
    assert torch.equal(found & 0xFFFFFFFF, word0[:, 0])
    assert torch.equal((found >> 32) & 0xFFFFFFFF, word1[:, 0])
    seeds = torch.arange(5000)
    derived = derive(seeds, Purpose.FAKE_KEY)
    assert len(set(derived.tolist()) | set(seeds.tolist())) == 10_000
    # what is drawn from a seed and from the one derived of it has nothing to do with each other
    draws = torch.stack([uniform(keys, Purpose.AUGMENT, 1)[:, 0] for keys in (seeds, derived)])
    assert torch.corrcoef(draws)[0, 1].abs() < 0.06


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**63 - 1), st.integers(0, 10**6), st.integers(1, 200))
def test_an_epochs_order_is_a_permutation(seed, epoch, size):
    order = epoch_order(seed, epoch, size)
    assert sorted(order.tolist()) == list(range(size))
    assert torch.equal(order, epoch_order(seed, epoch, size))


def test_epochs_and_runs_have_orders_of_their_own():
    orders = [tuple(epoch_order(seed, epoch, 30).tolist()) for seed in (0, 1, 2**32, 2**62) for epoch in range(5)]
    assert len(set(orders)) == 20


def test_every_position_of_an_order_is_equally_likely():
    firsts = torch.bincount(torch.tensor([epoch_order(0, epoch, 4)[0] for epoch in range(400)]), minlength=4)
    assert (firsts - 100).abs().max() < 40


def test_image_seeds_differ_between_runs_and_images():
    indices = torch.cat([torch.arange(1000), torch.arange(1000) + 2**32])
    seeds = [image_seeds(run, indices) for run in (0, 1, 2**32, 2**63 - 1)]
    assert len(set(torch.cat(seeds).tolist())) == 8000


def test_the_order_of_an_epoch_shares_no_number_with_the_draws_of_an_image(monkeypatch):
    used = []

    def record(key, counter):
        columns = torch.broadcast_tensors(*key, *counter)
        used.append(set(zip(*(column.flatten().tolist() for column in columns), strict=True)))
        return threefry2x32(key, counter)

    monkeypatch.setattr(keyed_random, "threefry2x32", record)
    epoch_order(0, 7, 50)
    order = used[-1]
    seeds = image_seeds(0, torch.tensor([7]))
    for purpose in [Purpose.LATENT, Purpose.LABEL, *list(Purpose)[3:]]:
        random_bits(seeds, purpose, 64)
        assert not order & used[-1]


def test_the_smallest_and_largest_words_give_finite_normals(monkeypatch):
    ends = torch.tensor([[0, 1, 2**32 - 1]]), torch.tensor([[0, 2**31, 0]])
    monkeypatch.setattr(keyed_random, "random_bits", lambda *_: ends)
    wanted = [math.sqrt(64 * math.log(2)), -math.sqrt(62 * math.log(2)), 0.0]
    assert normal(torch.tensor([0]), Purpose.LATENT, 3)[0].tolist() == pytest.approx(wanted, rel=1e-6)
