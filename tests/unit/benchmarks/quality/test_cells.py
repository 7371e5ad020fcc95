"""Experiments are tables of cells: their order, their names, their configurations."""

import pytest
from quality.cells import EXPERIMENTS, Budget, cells_of

from gan.errors import ConfigError


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_every_cell_has_a_valid_configuration_and_a_name_of_its_own(name):
    cells = cells_of(EXPERIMENTS[name])
    assert len({cell.name for cell in cells}) == len(cells)
    for cell in cells:
        config = cell.config()
        assert config.network.resolution == EXPERIMENTS[name].resolution
        assert config.train.seed == cell.seed


def test_sides_alternate_and_seeds_come_after_them():
    cells = cells_of(EXPERIMENTS["fashion-mnist"], seeds=[4, 7], variants=["ours", "dcgan"])
    assert [(cell.seed, cell.variant.name) for cell in cells] == [(4, "ours"), (4, "dcgan"), (7, "ours"), (7, "dcgan")]
    assert cells[0].name == "fashion-mnist-ours-300s-seed4"


def test_small_data_has_each_subset_with_and_without_augmentation():
    cells = cells_of(EXPERIMENTS["small-data"])
    assert [cell.subset for cell in cells] == ["500", "500", "one-class", "one-class", "rare", "rare"]
    assert [len(cell.config().augment.operations) for cell in cells] == [3, 0, 3, 0, 3, 0]
    assert [cell.config().network.conditional for cell in cells] == [True, True, False, False, True, True]


def test_dcgan_is_unconditional_as_published_and_also_conditional():
    published, conditional = cells_of(EXPERIMENTS["fashion-mnist"], seeds=[0])[1:3]
    assert (published.config().network.conditional, conditional.config().network.conditional) == (False, True)
    assert published.config().network.architecture == conditional.config().network.architecture == "dcgan"


def test_the_tuned_dcgan_differs_from_the_conditional_one_in_its_learning_rate_alone():
    conditional, tuned = (cell.config() for cell in cells_of(EXPERIMENTS["fashion-mnist"], seeds=[0])[2:])
    rate = tuned.optimizer.lr
    assert rate == tuned.optimizer.final_lr != conditional.optimizer.lr
    changed = conditional.optimizer.model_copy(update={"lr": rate, "final_lr": rate})
    assert conditional.model_copy(update={"optimizer": changed}) == tuned


def test_overrides_of_the_command_come_last_and_make_another_cell():
    plain, changed = (
        cells_of(EXPERIMENTS["cifar10"], overrides=overrides, budgets=[Budget(kimg=1.5)])[0]
        for overrides in ([], ["train.flip=false"])
    )
    assert plain.config().train.flip
    assert not changed.config().train.flip
    assert plain.name == "cifar10-ours-1.5kimg-seed0"
    assert changed.name != plain.name


def test_an_unknown_variant_or_subset_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match="no variant «our»: name ours or dcgan or dcgan-conditional"):
        cells_of(EXPERIMENTS["fashion-mnist"], variants=["our"])
    with pytest.raises(ConfigError, match="no subset «5»: name 500 or one-class or rare"):
        cells_of(EXPERIMENTS["small-data"], subsets=["5"])
