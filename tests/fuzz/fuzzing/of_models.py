"""Attacks on what reads models: checkpoints, exported programs, networks of a person, the registry's words."""

import contextlib
import hashlib
from types import SimpleNamespace
from unittest.mock import patch

import yaml

from fuzzing.models import CONFIG, GRAPH, HEADER, archive, checkpoint, members, mlmodel, program, script
from fuzzing.records import as_bytes
from fuzzing.sources import place
from fuzzing.target import target
from fuzzing.trees import EDITS, edited_json, edited_tree
from gan.errors import GanflowError, InputError
from gan.generation.program_file import load_program_file
from gan.metrics.network import inception, other_network
from gan.training.checkpoint import HASHES, TENSORS, is_complete, load_header
from gan.training.checkpoint import HEADER as HEADER_FILE
from gan.training.header import require_same_networks
from tasks.champion.history import Change, History
from tasks.champion.store import CHANGE, _read
from tasks.evaluate.subjects import find_subject
from tasks.runtime.settings import Settings
from tasks.tracking.comparable import why_not_comparable
from tasks.tracking.own_configuration import own_configuration, run_configuration, version_configuration
from tasks.tracking.registry import load_generator
from tasks.tracking.versions import RegisteredModel, _record
from tasks.train.resume import Unfinished, require_same_run
from tasks.train.run_storage import RAY_LIST, RunStorage
from tasks.train.warm_start import find_warm_start, require_fit

CHANGED = Change(number=4, follows=0, kind="promoted", before=None, after=3, who="anna", why="better", intent="x", at=1)
MODEL = RegisteredModel(3, "r77", "0" * 32, ("a", "b", "c"), "gan-generator")


def _all_of(*readers):
    """Let each read, and raise the last refusal."""
    refused = None
    for read in readers:
        try:
            read()
        except GanflowError as error:
            refused = error
    if refused:
        raise refused


def _place_checkpoint(folder, name, data):
    """Put a checkpoint there whose list of hashes is right, as whoever wrote the folder would have it."""
    there = checkpoint() | {name: data}
    there[HASHES] = as_bytes({each: hashlib.sha256(there[each]).hexdigest() for each in (HEADER_FILE, TENSORS)})
    place(folder, there)


@target(lambda: {HEADER_FILE: checkpoint()[HEADER_FILE]}, edits=(EDITS, edited_json))
def checkpoint_header(name, data, folder):
    given, settings = folder / "checkpoint_1", Settings(ganflow_home=folder)
    _place_checkpoint(given, name, data)
    header = load_header(given)
    _all_of(
        lambda: own_configuration(settings, str(given)),
        lambda: find_subject(settings, str(given)),
        lambda: load_generator(given),
        lambda: require_same_networks(header, HEADER, "it"),
        lambda: require_same_run(Unfinished("r77", header), HEADER),
        lambda: Unfinished("r77", header).cur_nimg,
    )


@target(lambda: {HEADER_FILE: checkpoint()[HEADER_FILE]}, edits=(EDITS, edited_json))
def header_of_a_run(name, data, folder):
    """The header alone, as it lies in the storage of a training or in MLflow."""
    settings = Settings(ganflow_home=folder)
    _place_checkpoint(folder / "r77" / "checkpoint_1", name, data)
    storage = RunStorage(str(folder), "r77")

    def warm_start():
        with (
            patch("tasks.train.warm_start.find_model", return_value=MODEL),
            _artifact("tasks.train.warm_start", folder / name),
        ):
            (folder / name).write_bytes(data)
            require_fit(find_warm_start(settings, "champion"), HEADER)

    def compared():
        tags = patch("tasks.tracking.comparable.version_tags", return_value={"resolution": "16", "channels": "1"})
        with tags, _artifact("tasks.tracking.comparable", folder / "r77" / "checkpoint_1"):
            why_not_comparable(settings, MODEL, "r77")

    def resumed():
        with contextlib.suppress(OSError, ValueError):  # for which the caller looks
            storage.header("checkpoint_1")

    _all_of(warm_start, compared, resumed)


def _artifact(module, path):
    return patch(f"{module}.run_artifact", return_value=path)


@target(lambda: {TENSORS: checkpoint()[TENSORS]})
def checkpoint_tensors(name, data, folder):
    _place_checkpoint(folder, name, data)
    load_generator(folder)


@target(lambda: {HASHES: checkpoint()[HASHES]}, edits=(EDITS, edited_json), errors=())
def checkpoint_hashes(name, data, folder):
    place(folder, checkpoint() | {name: data})
    is_complete(folder)


@target(lambda: {RAY_LIST: as_bytes({"version": 1, "checkpoints": ["checkpoint_1"]})}, edits=(EDITS, edited_json))
def list_of_ray(name, data, folder):
    place(folder / "r77", {name: data})
    storage = RunStorage(str(folder), "r77")
    storage.drop_broken_list()
    storage.drop_cut()


@target(lambda: {"model.pt2": program()})
def program_bytes(name, data, folder):
    place(folder, {name: data})
    load_program_file(folder / name)


def _edited_program(data, edits):
    inner = members(data)
    (graph,) = (name for name in inner if name.endswith(GRAPH))
    return archive(inner | {graph: edited_json(inner[graph], edits)})


@target(lambda: {"model.pt2": program()}, edits=(EDITS, _edited_program))
def program_graph(name, data, folder):
    place(folder, {name: data})
    load_program_file(folder / name)


@target(lambda: {"network.pt": script()})
def network_of_a_person(name, data, folder):
    place(folder, {name: data})
    other_network(folder / name, precision="fp32")


@target(lambda: {"inception.pt": script()})
def inception_weights(name, data, folder):
    """Any bytes but the published ones are refused, so good ones are no seed here."""
    place(folder, {name: data})
    try:
        inception(folder / name, precision="fp32")
    except InputError:
        return
    raise AssertionError("other weights pass for the published ones")


@target(lambda: {"config.json": as_bytes(CONFIG.model_dump(mode="json"))}, edits=(EDITS, edited_json))
def configuration_of_a_run(name, data, folder):
    place(folder, {name: data})
    with _artifact("tasks.tracking.own_configuration", folder / name):
        run_configuration(Settings(ganflow_home=folder), "r77")


def _edited_yaml(data, edits):
    tree = edited_tree(yaml.safe_load(data), edits)
    try:
        return yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")
    except (yaml.YAMLError, RecursionError):
        return data


@target(lambda: {"MLmodel": mlmodel()}, edits=(EDITS, _edited_yaml))
def model_of_the_registry(name, data, folder):
    place(folder, {name: data})
    model = SimpleNamespace(uri=str(folder), version=3, run_id="r77")
    nothing = patch("tasks.tracking.own_configuration.run_artifact", side_effect=InputError("no run"))
    with nothing, patch("tasks.tracking.own_configuration.client"):
        version_configuration(Settings(ganflow_home=folder), model)


@target(lambda: {"change": CHANGED.model_dump_json().encode()}, edits=(EDITS, edited_json))
def change_of_the_champion(name, data, folder):
    found = SimpleNamespace(version="4", creation_timestamp=1, tags={CHANGE: data.decode("utf-8", "replace")})
    with contextlib.suppress(ValueError, TypeError, RecursionError):  # it is left out of the history
        change = _read(found)
        assert (change.number, change.at, change.settled) == (4, 1, False)
        assert History.of([change]).champion in (None, change.after)


@target(lambda: {"class_names": b'["a", "b"]'}, edits=(EDITS, edited_json))
def tags_of_a_version(name, data, folder):
    found = _record(
        SimpleNamespace(name="gan-generator", version="3", run_id="r77", tags={name: data.decode("utf-8", "replace")})
    )
    assert all(isinstance(each, str) for each in found.class_names)
