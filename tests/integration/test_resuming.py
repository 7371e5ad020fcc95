"""Which training goes on, on a real MLflow (SQLite) and a real storage folder."""

import subprocess
import sys
from dataclasses import replace

import pytest

from gan.configuration.parsing import apply_overrides
from gan.configuration.presets import debug
from gan.errors import InputError
from gan.training.checkpoint import HEADER, save_checkpoint
from gan.training.header import Header, WarmStartRecord
from tasks.runtime.settings import Settings
from tasks.tracking.client import TRAINING, create_run, ending, reopen_run, run
from tasks.tracking.runs import is_finished
from tasks.train.lease import training_lease
from tasks.train.resume import find_unfinished, newest_unfinished, require_same_run

pytestmark = pytest.mark.integration
MD5 = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return Settings(ganflow_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None, ganflow_storage=None)


def header(*overrides, **changes):
    config = apply_overrides(debug(), overrides)
    fields = {"config": config.model_dump(mode="json"), "training_hash": config.training_hash(), "dataset_md5": MD5}
    return Header(**fields | {"channels": 1, "num_classes": 2, "class_names": ("a", "b")} | changes)


def training(settings, header, *, checkpoints=1):
    """A training that was killed: its run says RUNNING, its checkpoints stand."""
    tags = {"training_hash": header.training_hash, "dataset_md5": header.dataset_md5}
    log = create_run(settings, TRAINING, "killed", tags)
    for number in range(1, checkpoints + 1):
        folder = settings.state_dir / "runs" / log.run_id / f"checkpoint_{number}"
        folder.mkdir(parents=True)
        save_checkpoint(folder, header.at(100 * number, {}), {})
    return log


def fail(log):
    with pytest.raises(RuntimeError), ending(log):
        raise RuntimeError


def test_the_newest_unfinished_run_of_the_recipe_is_found_until_it_is_finished(settings):
    wanted = header("train.seed=1")
    assert newest_unfinished(settings, wanted) is None
    killed, failed = training(settings, wanted, checkpoints=2), training(settings, wanted)
    fail(failed)
    for other in (header("train.seed=2"), header("train.seed=1", dataset_md5="f" * 32)):
        training(settings, other)
    training(settings, wanted, checkpoints=0)
    assert newest_unfinished(settings, wanted).run_id == failed.run_id

    with training_lease(settings, failed.run_id):
        found = newest_unfinished(settings, wanted)
        assert (found.run_id, found.cur_nimg) == (killed.run_id, 200), "what another process trains is left alone"

    assert failed.client.get_run(failed.run_id).data.tags["failure"] == "RuntimeError"
    with ending(reopen_run(settings, failed.run_id)):
        assert failed.client.get_run(failed.run_id).info.status == "RUNNING"
    assert "failure" not in failed.client.get_run(failed.run_id).data.tags
    assert is_finished(settings, failed.run_id)
    assert newest_unfinished(settings, wanted).run_id == killed.run_id


def test_a_warm_start_is_not_taken_for_a_cold_one(settings):
    cold = header("train.seed=3")
    training(settings, replace(cold, warm_start=WarmStartRecord(1, "r", MD5)))
    assert newest_unfinished(settings, cold) is None


def test_a_header_that_is_cut_short_gives_way_to_the_one_before(settings):
    log = training(settings, header("train.seed=4"), checkpoints=2)
    (settings.state_dir / "runs" / log.run_id / "checkpoint_2" / HEADER).write_text("{")
    assert find_unfinished(settings, log.run_id).cur_nimg == 100


def test_a_run_that_cannot_go_on_is_refused_with_a_sentence(settings):
    wanted = header("train.seed=5")
    with run(settings, TRAINING, "whole", {"training_hash": "a"}) as whole:
        pass
    with run(settings, TRAINING, "other", {"dataset_md5": MD5}) as other:
        pass
    empty = training(settings, wanted, checkpoints=0)
    older = training(settings, wanted)
    header_file = settings.state_dir / "runs" / older.run_id / "checkpoint_1" / HEADER
    header_file.write_text(header_file.read_text().replace('"format_version": 2', '"format_version": 1'))
    for run_id, sentence in (
        ("0" * 32, f"there is no run {'0' * 32} in MLflow at "),
        (other.run_id, f"run {other.run_id} is no training that can go on"),
        (whole.run_id, f"run {whole.run_id} is finished: register it with `ganflow register {whole.run_id}`"),
        (empty.run_id, f"run {empty.run_id} has no checkpoints left in {settings.storage}: name another"),
        (older.run_id, f"run {older.run_id} cannot be resumed: the checkpoint checkpoint_1 .* has checkpoint format 1"),
    ):
        with pytest.raises(InputError, match=sentence):
            find_unfinished(settings, run_id)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (header("train.total_kimg=9"), r"its train\.total_kimg is 2\.0 but would now be 9\.0: repeat the options"),
        (header("network.latent_dim=9", "train.seed=9"), r"its network\.latent_dim is 32 but would now be 9"),
        (header(dataset_md5="f" * 32), f"its dataset_md5 is {MD5} but would now be f+: .* dataset checkout {MD5}`"),
        (header(warm_start=WarmStartRecord(3, "r", MD5)), "its warm_start is None but would now be "),
    ],
)
def test_other_settings_are_refused_by_the_first_key(settings, changed, sentence):
    found = find_unfinished(settings, training(settings, header()).run_id)
    require_same_run(found, header("evaluation.seed=8", "release.num_images=3"))
    with pytest.raises(InputError, match=f"run {found.run_id} cannot be resumed: {sentence}"):
        require_same_run(found, changed)


def test_a_killed_process_lets_go(settings):
    log = training(settings, header("train.seed=6"))
    program = f"""
import time
from pathlib import Path
from tasks.train.lease import training_lease
from tasks.runtime.settings import Settings
with training_lease(Settings(ganflow_home=Path({str(settings.home)!r})), {log.run_id!r}):
    print("held", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"run {log.run_id} is being trained by process {process.pid} on "):
            find_unfinished(settings, log.run_id)
        process.kill()
    assert find_unfinished(settings, log.run_id).cur_nimg == 100
