"""Which releases go, in which order, and what of them lies in a home; that they go is tested with MLflow and DVC."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.releases.removing import folder_of, is_plain, superseded
from tasks.releases.states import ReleaseRecord, State
from tasks.runtime.settings import Settings

MD5 = "a" * 32
POINTER = f"outs:\n- md5: {MD5}.dir\n  path: v1-001\n"


def record(name, state=State.PUBLISHED, removed=None, md5=MD5):
    facts = {"reason": None, "version": 1, "num_images": 1, "run_id": "r", "drawn_at": ""}
    return ReleaseRecord(name=name, state=state, removed=removed, md5=md5, **facts)


RECORDS = st.lists(st.tuples(st.sampled_from(State), st.sampled_from([None, "before"])), max_size=12).map(
    lambda found: [record(f"r{index}", state, removed) for index, (state, removed) in enumerate(found)]
)


@given(RECORDS, st.integers(1, 5), st.integers(0, 11))
def test_the_newest_published_stay_and_what_is_older_goes_the_unfit_first(records, keep, made):
    going = superseded(records, keep, f"r{made}")
    published = [each for each in records if each.state is State.PUBLISHED and each.removed is None]
    assert f"r{made}" not in {each.name for each in going}
    last = records.index(published[keep - 1]) if len(published) >= keep else len(records)
    assert {each.name for each in going} == {each.name for each in records[last + 1 :]} - {f"r{made}"}
    order = [State.QUARANTINED, State.RECALLED, State.PUBLISHED]
    assert going == sorted(going, key=lambda each: (order.index(each.state), -records.index(each)))


def test_recalled_and_quarantined_ones_do_not_count_and_go_when_they_are_older():
    states = (State.RECALLED, State.PUBLISHED, State.QUARANTINED, State.PUBLISHED, State.PUBLISHED, State.RECALLED)
    records = [record(str(number), state) for number, state in enumerate(states)]
    assert [each.name for each in superseded(records, 2, "0")] == ["5", "4"]
    assert [each.name for each in superseded(records, 1, "0")] == ["2", "5", "4", "3"]
    assert superseded(records, 4, "0") == []


@pytest.mark.parametrize("name", ["", ".", "..", "../data", "/etc", "a/b", ".scratch", "a\0b"])
def test_a_registry_cannot_name_what_lies_elsewhere(tmp_path, name):
    settings = Settings(ganflow_home=tmp_path)
    settings.quarantine_dir.mkdir(parents=True)
    assert not is_plain(name)
    assert folder_of(settings, record(name)) is None
    assert folder_of(settings, record(name, State.QUARANTINED, md5=None)) is None


def test_a_release_is_of_this_home_by_its_very_bytes(tmp_path):
    settings = Settings(ganflow_home=tmp_path)
    settings.synthetic_dir.mkdir()
    assert folder_of(settings, record("v1-001")) is None
    pointer = settings.synthetic_dir / "v1-001.dvc"
    pointer.write_text(POINTER)
    assert folder_of(settings, record("v1-001")) == settings.synthetic_dir / "v1-001"
    assert folder_of(settings, record("v1-001", md5="b" * 32)) is None
    assert folder_of(settings, record("v1-001", md5=None)) is None
    assert folder_of(settings, record("v1-001", State.QUARANTINED, md5=None)) is None
    (settings.quarantine_dir / "v1-001").mkdir(parents=True)
    assert folder_of(settings, record("v1-001", State.QUARANTINED, md5=None)) == settings.quarantine_dir / "v1-001"
    pointer.write_text("{")
    assert folder_of(settings, record("v1-001")) is None
