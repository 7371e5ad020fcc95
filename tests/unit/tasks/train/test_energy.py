"""Watt hours from counters that run over, cannot be read, or are not there."""

import pytest

from tasks.train.energy import EnergyMeter, rapl_counters


def zone(root, name, microjoules, whole=10_000_000_000):
    folder = root / name
    folder.mkdir()
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{whole}\n")
    return folder / "energy_uj"


def test_each_processor_counts_once(tmp_path):
    one, two = zone(tmp_path, "intel-rapl:0", 10_000_000), zone(tmp_path, "intel-rapl:1", 0)
    zone(tmp_path, "intel-rapl:0:0", 10_000_000)
    zone(tmp_path, "intel-rapl:2", "no number")
    meter = EnergyMeter(list(rapl_counters(tmp_path)))
    assert meter.names == ("RAPL",)
    with meter:
        one.write_text(str(10_000_000 + 3600 * 10**6))
        two.write_text(str(1800 * 10**6))
    assert meter.watt_hours == pytest.approx(1.5)


def test_a_counter_that_begins_again_goes_on(tmp_path):
    file = zone(tmp_path, "intel-rapl:0", 9_000_000_000)
    meter = EnergyMeter(list(rapl_counters(tmp_path)))
    with meter:
        file.write_text("8000000000")  # 9 kJ over the whole of 10 kJ
    assert meter.watt_hours == pytest.approx(9000 / 3600)


def test_a_counter_that_cannot_be_read_for_a_moment_loses_nothing(tmp_path):
    file = zone(tmp_path, "intel-rapl:0", 0)
    with EnergyMeter(list(rapl_counters(tmp_path))) as meter:
        file.write_text("nothing")
        meter.look()
        file.write_text(str(3600 * 10**6))
    assert meter.watt_hours == pytest.approx(1.0)


def test_where_there_is_no_counter_nothing_is_measured(tmp_path):
    with EnergyMeter(list(rapl_counters(tmp_path / "nowhere"))) as meter:
        meter.look()
    assert (meter.names, meter.watt_hours) == ((), 0.0)
