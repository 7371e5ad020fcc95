"""What a configuration refuses, in which words, and what its hash depends on."""

import json

import pytest
from pydantic import ValidationError

from gan.configuration.config import Config, DataConfig, LossConfig, NetworkConfig, TrainConfig
from gan.configuration.parsing import apply_overrides, parse_config
from gan.configuration.schedules import penalised
from gan.errors import ConfigError

DEFAULT = Config(network=NetworkConfig(widths=(128, 96, 64, 64)))


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        DEFAULT.train.batch_size = 3


def test_overrides_change_their_key_and_nothing_else():
    found = apply_overrides(
        DEFAULT,
        ["train.total_kimg=50", "train.flip=true", "network.conditional=false", "data.crop=pad", "data.channels=1"],
    )
    assert (found.train.total_kimg, found.train.flip, found.network.conditional) == (50.0, True, False)
    assert (found.data.crop, found.data.channels) == ("pad", 1)
    changed = found.model_dump()
    for section, keys in {
        "train": ("total_kimg", "flip"),
        "network": ("conditional",),
        "data": ("crop", "channels"),
    }.items():
        for key in keys:
            changed[section][key] = getattr(getattr(DEFAULT, section), key)
    assert changed == DEFAULT.model_dump()
    assert apply_overrides(DEFAULT, []) == DEFAULT


def test_overrides_are_checked_together_and_the_last_counts():
    found = apply_overrides(DEFAULT, ["data.resolution=16", "network.widths=[64, 32]", "network.patch=2"])
    assert (found.data.resolution, found.network.resolution, found.network.widths) == (16, 16, (64, 32))
    assert apply_overrides(DEFAULT, ["train.seed=1", "train.seed=2"]).train.seed == 2
    assert apply_overrides(DEFAULT, ["train.seed=9223372036854775807"]).train.seed == 2**63 - 1
    assert apply_overrides(DEFAULT, [" train.seed =3"]).train.seed == 3


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.total_kimg", r"--set wants section\.key=value.*but got «train\.total_kimg»"),
        ("=5", "--set wants section.key=value"),
        ("train.kimg=5", r"--set train\.kimg=5: unknown key «train\.kimg».*ganflow presets --keys"),
        ("trian.total_kimg=5", r"unknown key «trian\.total_kimg»"),
        ("train=5", "unknown key «train»"),
        ("train={}", "unknown key «train»"),
        ("train.seed.low=5", r"unknown key «train\.seed\.low»"),
        (".train.seed=5", "unknown key"),
        ("train.batch_size=1", r"train\.batch_size = 1: input should be greater than or equal to 2"),
        ("train.batch_size=many", r"train\.batch_size = 'many': input should be a valid integer"),
        ("train.batch_size=2.5", r"train\.batch_size = 2\.5"),
        ("train.total_kimg=0", r"train\.total_kimg = 0: input should be greater than 0"),
        ("train.total_kimg=NaN", r"train\.total_kimg = nan"),
        ("train.seed=-1", r"train\.seed = -1"),
        ("train.seed=9223372036854775808", r"train\.seed = 9223372036854775808"),
        ("optimizer.beta1=1", r"optimizer\.beta1 = 1: input should be less than 1"),
        ("loss.r1_gamma=-0.1", r"loss\.r1_gamma = -0\.1"),
        ("data.channels=2", r"data\.channels = 2: input should be 'auto', 1 or 3"),
        ("data.crop=centr", r"data\.crop = 'centr': input should be 'centre', 'pad' or 'stretch'"),
        ("data.holdout_fraction=-0.1", r"data\.holdout_fraction = -0\.1"),
        ("data.holdout_fraction=1", r"data\.holdout_fraction = 1"),
        ("evaluation.reference_images=3", r"evaluation\.reference_images"),
        ("evaluation.reference_images=some", r"evaluation\.reference_images"),
        ("evaluation.num_images=3", r"evaluation\.num_images = 3: input should be greater than or equal to 4"),
        ("network.widths=[64, 0]", r"network\.widths\.1 = 0"),
        ("evaluation.seed=4611686018427387904", r"evaluation\.seed = 4611686018427387904"),
    ],
)
def test_wrong_overrides_are_explained(override, sentence):
    with pytest.raises(ConfigError, match=sentence):
        apply_overrides(DEFAULT, [override])


@pytest.mark.parametrize("key", ["train.total_kimg", "loss.r1_gamma", "optimizer.lr", "train.ema_halflife_kimg"])
def test_infinite_numbers_are_refused(key):
    with pytest.raises(ConfigError, match=key):
        apply_overrides(DEFAULT, [f"{key}=Infinity"])


def test_a_run_has_at_least_one_batch():
    assert TrainConfig(total_kimg=0.0001, batch_size=64).total_images == 64


@pytest.mark.parametrize(
    ("override", "numbers"),
    [
        ("data.resolution=48", ["data.resolution is 48", "power of two, or 7 times one", "from 4 to 1024"]),
        ("data.resolution=64", ["4 stages from network.base = 4 px", "makes 32 px", "data.resolution is 64 px"]),
        ("network.patch=2", ["4 stages", "network.patch = 2", "64 px", "data.resolution is 32 px"]),
        ("network.base=7", ["4 stages", "network.base = 7 px", "makes 56 px", "data.resolution is 32 px"]),
        ("network.base=5", ["network.base = 5: input should be 4 or 7"]),
        ("network.group_width=48", ["network.widths has 128", "inner width 256", "network.group_width = 48"]),
        ("network.widths=[]", ["network.widths", "at least 1 item"]),
        ("network.dropout=0.5", ["network.dropout is 0.5", "network.architecture r3gan", "leave it at 0.0"]),
        (
            "network.discriminator_normalisation=spectral",
            ["network.discriminator_normalisation is spectral", "network.architecture r3gan", "leave it at none"],
        ),
        (
            "train.accumulate=65",
            ["train.accumulate is 65 but train.batch_size is 64", "at least one image: lower train.accumulate"],
        ),
        ("augment.target=0.6", ["augment.target is set but augment.operations is empty"]),
        ('augment.operations=["blur"]', ["augment.operations.0 = 'blur'", "'flip', 'colour', 'translation'"]),
        ("loss.kind=least-squares", ["loss.kind = 'least-squares'", "'relativistic'"]),
    ],
)
def test_values_that_disagree_are_named_with_both_numbers(override, numbers):
    with pytest.raises(ConfigError) as caught:
        apply_overrides(DEFAULT, [override])
    assert all(number in str(caught.value) for number in numbers), caught.value


DCGAN = Config(
    network=NetworkConfig(architecture="dcgan", widths=(64, 32, 16)), loss=LossConfig(r1_gamma=0.0, r2_gamma=0.0)
)


@pytest.mark.parametrize(
    ("key", "value", "default"),
    [("patch", 2, 1), ("blocks_per_stage", 3, 1), ("group_width", 8, 16), ("expansion", 1, 2)],
)
def test_what_dcgan_does_not_have_must_stay_at_its_default(key, value, default):
    sentence = f"network.{key} is {value} but network.architecture dcgan has no such thing: leave it at {default}"
    with pytest.raises(ConfigError, match=sentence):
        apply_overrides(DCGAN, [f"network.{key}={value}"])
    assert apply_overrides(DCGAN, [f"network.{key}={default}"]) == DCGAN


@pytest.mark.parametrize(
    "penalty",
    [
        "loss.r1_gamma=1",
        "loss.r2_gamma=0.1",
        "loss.final_r1_gamma=1",
        "loss.final_r2_gamma=1",
        "loss.gradient_penalty=10",
    ],
)
def test_penalties_on_single_images_and_batch_normalisation_are_refused_together(penalty):
    batch = apply_overrides(DCGAN, ["network.discriminator_normalisation=batch"])
    assert not penalised(batch.loss)
    with pytest.raises(
        ConfigError, match=r"network\.discriminator_normalisation is batch: set it to spectral or none, or"
    ):
        apply_overrides(batch, [penalty])
    for other in ("spectral", "none"):
        found = apply_overrides(batch, [penalty, f"network.discriminator_normalisation={other}"])
        assert penalised(found.loss)


@pytest.mark.parametrize("group_width", [16, 128, 256, 257, 10_000])
def test_a_group_may_be_wider_than_the_block(group_width):
    assert apply_overrides(DEFAULT, [f"network.group_width={group_width}", "network.widths=[128, 128, 128, 128]"])


def test_unknown_keys_of_a_tree_are_refused_and_all_mistakes_are_named():
    tree = DEFAULT.model_dump(mode="json")
    assert parse_config(tree) == DEFAULT
    tree["train"]["epochs"] = 5
    tree["gan"] = {}
    tree["train"]["batch_size"] = 0
    with pytest.raises(ConfigError) as caught:
        parse_config(tree)
    for part in ("unknown configuration key «train.epochs»", "unknown configuration key «gan»", "train.batch_size = 0"):
        assert part in str(caught.value)


def test_json_and_back():
    assert Config.model_validate_json(DEFAULT.model_dump_json()) == DEFAULT
    assert parse_config(json.loads(json.dumps(DEFAULT.model_dump(mode="json")))) == DEFAULT


def test_the_training_hash_is_stable():
    # A checkpoint of yesterday must be resumable today; a new value here is a break that the changelog names.
    assert DEFAULT.training_hash() == "3a444052bca90428"


@pytest.mark.parametrize(
    "override",
    [
        *("evaluation.num_images=5", "evaluation.seed=3", "release.num_images=7", "data.max_reject_share=1"),
        *("train.accumulate=4", "train.reduce_precision=bf16", "train.capture=true"),
    ],
)
def test_the_training_hash_ignores_what_comes_after_training_and_how_a_step_is_worked_off(override):
    assert apply_overrides(DEFAULT, [override]).training_hash() == DEFAULT.training_hash()


@pytest.mark.parametrize(
    "override",
    [
        "train.seed=1",
        "train.precision=bf16",
        "loss.r1_gamma=2",
        "optimizer.lr=0.1",
        "network.latent_dim=3",
        'augment.operations=["flip"]',
        "augment.probability=0.5",
        "augment.final_probability=0.5",
    ],
)
def test_the_training_hash_sees_what_decides_the_result(override):
    assert apply_overrides(DEFAULT, [override]).training_hash() != DEFAULT.training_hash()


@pytest.mark.parametrize(
    ("widths", "base", "patch", "resolution"),
    [((8,), 4, 1, 4), ((8, 8), 4, 2, 16), ((8,) * 4, 4, 1, 32), ((8,), 4, 4, 16), ((8, 8), 7, 2, 28), ((8,), 7, 4, 28)],
)
def test_widths_base_and_patch_make_the_resolution(widths, base, patch, resolution):
    network = NetworkConfig(widths=widths, base=base, patch=patch, group_width=8)
    assert network.resolution == resolution
    assert Config(data=DataConfig(resolution=resolution), network=network).network == network


def test_dcgan_has_no_stage_at_the_images_own_resolution():
    assert NetworkConfig(architecture="dcgan", widths=(8, 8), base=7).resolution == 28
    assert DCGAN.network.resolution == 32


@pytest.mark.parametrize("resolution", [4, 8, 1024, 7, 14, 28, 56, 112, 896])
def test_powers_of_two_and_seven_times_them(resolution):
    assert DataConfig(resolution=resolution).resolution == resolution


@pytest.mark.parametrize("resolution", [2, 2048, 12, 0, 21, 49, 30, 1792])
def test_other_resolutions(resolution):
    with pytest.raises(ValidationError):
        DataConfig(resolution=resolution)


def test_every_key_has_a_meaning_and_can_be_set():
    rows = dict(Config.keys_with_meaning())
    tree = DEFAULT.model_dump(mode="json")
    assert set(rows) == {f"{section}.{key}" for section in tree if section != "preset" for key in tree[section]}
    for key, meaning in rows.items():
        assert "None" not in meaning, key
        section, leaf = key.split(".")
        assert apply_overrides(DEFAULT, [f"{key}={json.dumps(tree[section][leaf])}"]) == DEFAULT


def test_a_preset_is_chosen_and_not_set():
    with pytest.raises(ConfigError, match="unknown key «preset»"):
        apply_overrides(DEFAULT, ["preset=other"])


def test_a_recipe_is_a_training_whatever_its_seed():
    other_seed, longer = (apply_overrides(DEFAULT, [change]) for change in ("train.seed=7", "train.total_kimg=7"))
    assert other_seed.recipe_hash() == DEFAULT.recipe_hash() != longer.recipe_hash()


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 100_000, "NaN", "1e999", "\ud800"])
def test_a_value_of_any_make_is_refused_in_a_sentence(value):
    with pytest.raises(ConfigError, match=r"^train\.seed = ") as caught:
        apply_overrides(DEFAULT, [f"train.seed={value}"])
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("override", ["[" * 50_000, "train." + "x" * 50_000 + "=1", "train.seed=" + "[" * 50_000])
def test_a_long_override_is_cut_short_in_its_sentence(override):
    with pytest.raises(ConfigError) as caught:
        apply_overrides(Config(), [override])
    assert len(str(caught.value)) < 1000


def test_pieces_and_batch_normalisation_are_refused_together():
    batch = apply_overrides(DCGAN, ["network.discriminator_normalisation=batch"])
    with pytest.raises(
        ConfigError,
        match=r"train\.accumulate is 2 but network\.discriminator_normalisation is batch, which would judge",
    ):
        apply_overrides(batch, ["train.accumulate=2"])
    assert apply_overrides(DCGAN, ["train.accumulate=2"]).train.accumulate == 2


def test_blocks_are_checkpointed_where_there_are_any_and_nothing_is_compiled():
    with pytest.raises(
        ConfigError, match=r"train\.checkpoint_activations is true but network\.architecture dcgan has no"
    ):
        apply_overrides(DCGAN, ["train.checkpoint_activations=true"])
    with pytest.raises(ConfigError, match=r"train\.checkpoint_activations and train\.compile are both true"):
        apply_overrides(DEFAULT, ["train.checkpoint_activations=true", "train.compile=true"])
    saving = apply_overrides(DEFAULT, ["train.checkpoint_activations=true"])
    assert saving.training_hash() == DEFAULT.training_hash()
