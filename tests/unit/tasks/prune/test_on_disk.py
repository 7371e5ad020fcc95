"""What a home keeps, found and removed."""

import json

import pytest

from tasks.prune import on_disk
from tasks.runtime.settings import Settings


@pytest.fixture
def settings(tmp_path):
    return Settings(ganflow_home=tmp_path, mlflow_tracking_uri=None, ganflow_cache=None)


def write(path, text="text"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_a_result_tells_which_evaluations_it_names(settings):
    storage = settings.state_dir / "prefect/storage"
    inside = json.dumps({"evaluation_run": "a" * 32, "run_id": "b" * 32})
    write(storage / "one", json.dumps({"result": inside, "metadata": {}}))
    write(storage / "two", json.dumps({"result": "3"}))
    write(storage / ".draft")
    assert {found.path.name: found.names for found in on_disk.results(settings)} == {
        "one": {"a" * 32},
        "two": frozenset(),
    }


def test_a_decoded_version_goes_with_its_record_first_and_another_stays(settings):
    for md5 in ("a" * 32, "b" * 32):
        write(settings.resident_dir / md5 / "record.json")
        write(settings.resident_dir / md5 / "train-images.npy", "images")
    write(settings.resident_dir / "no md5" / "file")
    found = on_disk.decoded_datasets(settings)
    assert [(each.path.name, each.bytes, each.whole) for each in found] == [
        ("a" * 32, 10, True), ("b" * 32, 10, True),
    ]  # fmt: skip
    (settings.resident_dir / ("b" * 32) / "record.json").unlink()
    on_disk.remove_decoded(settings, "a" * 32)
    assert [(each.path.name, each.whole) for each in on_disk.decoded_datasets(settings)] == [("b" * 32, False)]


def test_the_newest_file_tells_the_age_of_a_folder(settings):
    page = settings.state_dir / "evaluations/version-1-01234567"
    write(page / "report.html")
    (found,) = on_disk.pages(settings)
    assert found.newest == (page / "report.html").stat().st_mtime_ns // 10**6
    on_disk.remove(page)
    on_disk.remove(page)
    assert on_disk.pages(settings) == []


def test_what_commands_are_at(settings):
    assert on_disk.busy(settings) == []
    (settings.state_dir / "scratch/evaluation-0123").mkdir(parents=True)
    (settings.state_dir / "scratch/checkpoint-0123").mkdir()
    assert on_disk.busy(settings) == ["checkpoint", "evaluation"]
