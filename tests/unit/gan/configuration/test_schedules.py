"""Schedules in closed form: start, middle and end."""

import math

import pytest
from pydantic import ValidationError

from gan.configuration.config import (
    AugmentConfig,
    Config,
    DataConfig,
    LossConfig,
    NetworkConfig,
    OptimizerConfig,
    TrainConfig,
)
from gan.configuration.schedules import cosine, ema_decay, has_r1, has_r2, penalised, step_settings, total_images


@pytest.mark.parametrize(
    ("cur_nimg", "wanted"),
    [(0, 5.0), (250, 1 + 2 * (1 + math.sqrt(0.5))), (500, 3.0), (1000, 1.0), (1064, 1.0), (9999, 1.0)],
)
def test_cosine(cur_nimg, wanted):
    assert cosine(5.0, 1.0, cur_nimg, 1000) == pytest.approx(wanted)


def test_cosine_goes_up_as_well_and_ends_at_zero():
    assert [cosine(0.0, 0.3, at, 1000) for at in (0, 500, 1000)] == pytest.approx([0.0, 0.15, 0.3])
    assert cosine(2.0, 0.0, 1000, 1000) == 0.0


@pytest.mark.parametrize("end", [0.1, None])
def test_cosine_of_a_constant_is_constant(end):
    assert {cosine(0.1, end, at, 7) for at in range(10)} == {0.1}


@pytest.mark.parametrize(
    ("total_kimg", "batch_size", "wanted"),
    [(100, 64, 100_032), (0.128, 64, 128), (0.129, 64, 192), (1, 1000, 1000), (0.0001, 64, 64)],
)
def test_a_run_is_whole_batches(total_kimg, batch_size, wanted):
    assert total_images(total_kimg, batch_size) == wanted


def test_thousandths_do_not_add_a_batch():
    for images in range(2, 2000):
        assert total_images(images / 1000, images) == images


def test_ema_halves_after_its_halflife():
    steps = 2000 // 50
    assert ema_decay(50, 2.0, 10**6, 0.1) ** steps == pytest.approx(0.5)
    assert ema_decay(64, 2.0, 10**6, 0.1) == pytest.approx(0.5 ** (64 / 2000))


def test_ema_forgets_the_start():
    # A share of the images seen is the half-life while that is shorter than the one asked for.
    assert ema_decay(64, 2.0, 0, 0.1) == pytest.approx(2**-10)
    assert ema_decay(64, 2.0, 6400 - 64, 0.1) == pytest.approx(0.5**0.1)
    assert ema_decay(100, 2.0, 20_000 - 100, 0.1) == pytest.approx(0.5**0.05)
    assert ema_decay(100, 2.0, 40_000, 0.1) == ema_decay(100, 2.0, 20_000 - 100, 0.1)


def test_without_a_halflife_it_is_the_same_share_of_any_run():
    assert [ema_decay(100, None, cur_nimg - 100, 0.1) for cur_nimg in (1_000, 10**6)] == [0.5, 0.5**0.001]
    train = TrainConfig(ema_halflife_kimg=None, total_kimg=10)
    found = step_settings(Config(train=train), 9_936).ema_decay
    assert found == pytest.approx(0.5 ** (train.batch_size / (9_936 + train.batch_size) * 10))


@pytest.mark.parametrize("more", [{"ema_rampup": None}, {"final_ema_halflife_kimg": 3.0}])
def test_without_a_halflife_the_share_has_to_be_said(more):
    with pytest.raises(ValidationError, match="ema_rampup must be a share"):
        TrainConfig(ema_halflife_kimg=None, **more)


@pytest.mark.parametrize("cur_nimg", [0, 64, 10**7])
def test_a_halflife_of_0_is_no_memory(cur_nimg):
    assert ema_decay(64, 0.0, cur_nimg, 0.1) == 0.0
    assert ema_decay(64, 0.0, cur_nimg, None) == 0.0


def test_without_a_ramp_up_the_half_life_is_what_was_asked_for_from_the_start():
    for cur_nimg in (0, 6400, 10**6):
        assert ema_decay(64, 2.0, cur_nimg, None) == pytest.approx(0.5 ** (64 / 2000))
    assert ema_decay(64, 2.0, 6400 - 64, 0.05) == pytest.approx(0.5 ** (64 / 320))


def config(*, loss=None, train=None, **sections):
    return Config(
        data=DataConfig(resolution=8),
        network=NetworkConfig(widths=(8, 8), group_width=8, expansion=1),
        loss=LossConfig(**loss or {}),
        train=TrainConfig(**{"total_kimg": 8.0, "batch_size": 8} | (train or {})),
        **sections,
    )


MOVING = config(
    loss={"r1_gamma": 2.0, "final_r1_gamma": 0.2, "r2_gamma": 4.0, "final_r2_gamma": 0.0, "gradient_penalty": 10.0},
    augment=AugmentConfig(operations=("flip",), probability=0.0, final_probability=0.6),
    optimizer=OptimizerConfig(lr=3e-4, final_lr=1e-4, beta2=0.9, final_beta2=0.99),
    train={"ema_halflife_kimg": 0.0, "final_ema_halflife_kimg": 0.4},
)


@pytest.mark.parametrize(
    ("cur_nimg", "progress"), [(0, 0.0), (2000, 0.5 - math.sqrt(0.125)), (4000, 0.5), (8000, 1.0), (9000, 1.0)]
)
def test_values_of_a_step_at_the_start_in_the_middle_and_at_the_end(cur_nimg, progress):
    found = step_settings(MOVING, cur_nimg)

    def between(start, end):
        return pytest.approx(start + (end - start) * progress)

    assert found.batch_size == 8
    assert found.r1_gamma == between(2.0, 0.2)
    assert found.r2_gamma == between(4.0, 0.0)
    assert found.gradient_penalty == 10.0
    assert found.augment_probability == between(0.0, 0.6)
    assert found.lr == between(3e-4, 1e-4)
    assert found.beta2 == between(0.9, 0.99)
    halflife = min(400 * progress, (cur_nimg + 8) / 10)
    assert found.ema_decay == pytest.approx(0.5 ** (8 / halflife) if progress else 0.0)


def test_without_final_values_they_stay():
    constant = config(optimizer=OptimizerConfig(lr=3e-4, final_lr=3e-4), augment=AugmentConfig(probability=0.4))
    for cur_nimg in (0, 4000, 8000):
        found = step_settings(constant, cur_nimg)
        assert (found.r1_gamma, found.r2_gamma, found.lr, found.beta2) == (1.0, 1.0, 3e-4, 0.99)
        assert found.augment_probability == 0.4


def test_every_step_is_penalised_and_trains_the_generator_unless_said_otherwise():
    for step in range(5):
        found = step_settings(config(), step * 8)
        assert (found.penalised, found.penalty_scale, found.generator_too) == (True, 1.0, True)


def test_lazy_penalties_come_at_every_so_many_steps_and_weigh_as_much_more():
    found = [step_settings(config(loss={"penalty_every": 3}), step * 8) for step in range(7)]
    assert [settings.penalised for settings in found] == [True, False, False, True, False, False, True]
    assert {settings.penalty_scale for settings in found} == {3.0}


def test_which_penalties_there_are():
    assert has_r1(LossConfig())
    assert has_r2(LossConfig())
    assert penalised(LossConfig())
    none = LossConfig(r1_gamma=0.0, r2_gamma=0.0)
    assert not penalised(none)
    assert not penalised(none.model_copy(update={"final_r1_gamma": 0.0, "final_r2_gamma": 0.0}))
    for key in ("r1_gamma", "r2_gamma", "final_r1_gamma", "final_r2_gamma"):
        some = none.model_copy(update={key: 0.1})
        assert (has_r1(some), has_r2(some)) == ("r1" in key, "r2" in key)
        assert penalised(some)
    between = none.model_copy(update={"gradient_penalty": 1.0})
    assert penalised(between)
    assert (between.penalised, none.penalised) == (True, False)
    assert not has_r1(between)
    assert not has_r2(between)


def test_without_penalties_no_step_is_penalised():
    found = step_settings(config(loss={"r1_gamma": 0.0, "r2_gamma": 0.0}), 0)
    assert not found.penalised
    assert step_settings(config(loss={"r1_gamma": 0.0, "r2_gamma": 0.0, "final_r2_gamma": 1.0}), 0).penalised
    assert step_settings(config(loss={"r1_gamma": 0.0, "r2_gamma": 0.0, "gradient_penalty": 1.0}), 0).penalised


def test_the_generator_comes_last_of_so_many_steps_and_its_average_counts_them_all():
    found = [step_settings(config(train={"generator_every": 3}), step * 8) for step in range(6)]
    assert [settings.generator_too for settings in found] == [False, False, True, False, False, True]
    assert found[5].ema_decay == ema_decay(24, 2.0, 40, 0.1)
