"""What lies in a home of releases that are not published."""

import pytest
from filelock import Timeout

from tasks.releases.unpublished import is_drawn, lock_of, quarantined, remove_unfinished, unfinished
from tasks.runtime.locks import hold_lock
from tasks.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(ganflow_home=tmp_path)


def test_folders_alone_and_none_that_is_on_its_way(settings):
    assert unfinished(settings) == quarantined(settings) == []
    for top in (settings.unfinished_dir, settings.quarantine_dir):
        for name in ("v1-002", "v1-001", ".scratch"):
            (top / name).mkdir(parents=True)
        (top / "v1-001.lock").touch()
    for found in (unfinished(settings), quarantined(settings)):
        assert [path.name for path in found] == ["v1-001", "v1-002"]


def test_what_somebody_draws_is_not_removed(settings):
    folder = settings.unfinished_dir / "v1-001"
    folder.mkdir(parents=True)
    (folder / "settings.json").touch()
    assert not is_drawn(folder)
    assert not lock_of(folder).exists()  # to look leaves nothing behind
    with hold_lock(lock_of(folder)):
        assert is_drawn(folder)
        with pytest.raises(Timeout):
            remove_unfinished(folder)
    assert not is_drawn(folder)  # a lock that a kill has left is nobody's
    assert folder.exists()
    remove_unfinished(folder)
    assert list(settings.unfinished_dir.iterdir()) == []
