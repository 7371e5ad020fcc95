"""The projection in docs/cluster.md is what its formula and the presets give, and what the page links to is there."""

import re
from pathlib import Path

import pytest

import gan
from gan.configuration.presets import PRESETS
from gan.networks.cost import FP32_BYTES, network_cost

ROOT = Path(gan.__file__).parent.parent
PAGE = (ROOT / "docs" / "cluster.md").read_text("utf-8")
# the page's assumptions
OPERATIONS, FLOOR, HOP = 50e12, 0.010, 10e-6
BANDWIDTHS = (1.25e9, 12.5e9, 50e9)
COUNTS = (1, 8, 64, 512)


def cost_of(preset):
    config = PRESETS[preset]()
    cost = network_cost(config, channels=3, num_classes=10)
    return config.train.batch_size, cost, [cost.discriminator_parameters, cost.generator_parameters]


def step_seconds(preset, n, bandwidth, overlap=0.0):
    batch, cost, phases = cost_of(preset)
    compute = batch * cost.training_flops / (n * OPERATIONS)
    waiting = sum(2 * (n - 1) / n * FP32_BYTES * count / bandwidth + 2 * (n - 1) * HOP for count in phases)
    return FLOOR + compute + (1 - overlap) * waiting


def rows(heading):
    table = PAGE[PAGE.index(heading) :].split("\n\n")[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def shown(seconds):
    return f"{seconds * 1000:.0f} ms"


def test_bytes_of_a_step_are_those_of_the_presets():
    found = {row[0].strip("`"): row[1:] for row in rows("**Bytes.**")}
    assert set(found) == {"cifar10", "r3gan-32", "r3gan-64", "r3gan-256"}
    for preset, cells in found.items():
        batch, cost, phases = cost_of(preset)
        megabytes = [FP32_BYTES * count / 1e6 for count in reversed(phases)]
        assert cells == [
            str(batch),
            f"{cost.training_flops / 1e9:.0f} · 10⁹",
            f"{megabytes[0]:.1f} MB",
            f"{megabytes[1]:.1f} MB",
            f"{sum(megabytes):.0f} MB",
        ]


@pytest.mark.parametrize("preset", ["cifar10", "r3gan-32"])
def test_steps_are_projected_by_the_formula(preset):
    found = [row[1:] for row in rows("**Projection.**") if row[0] == f"`{preset}`"]
    wanted = []
    for bandwidth in BANDWIDTHS:
        alone = step_seconds(preset, 1, bandwidth)
        cells = [f"{bandwidth / 1e9:g} GB/s"]
        for n in COUNTS:
            if n > cost_of(preset)[0]:
                cells.append("—")
                continue
            seconds = step_seconds(preset, n, bandwidth)
            cells.append(shown(seconds) if n == 1 else f"{shown(seconds)}, {alone / seconds:.1f}×")
        wanted.append(cells)
    assert found == wanted


def most_that_pay(preset, bandwidth):
    """The most GPUs, doubled from one, of which the last doubling made a step half again as fast."""
    n = 1
    while 2 * n <= cost_of(preset)[0] and step_seconds(preset, n, bandwidth) >= 1.5 * step_seconds(
        preset, 2 * n, bandwidth
    ):
        n *= 2
    return n


def test_where_more_gpus_stop_paying_is_where_a_doubling_gains_less_than_half_again():
    for preset, *cells in rows("**Where it stops.**"):
        assert cells == [str(most_that_pay(preset.strip("`"), bandwidth)) for bandwidth in BANDWIDTHS]


def test_links_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE) if "://" not in link]
    assert len(links) > 5
    assert all((ROOT / "docs" / link).exists() for link in links)
