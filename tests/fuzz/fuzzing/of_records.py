"""Attacks on ganflow's own records, which lie where others may write and a disk may rot."""

import hashlib
import json
from functools import partial

from fuzzing.records import MD5, as_bytes, dataset, decoded, evaluation, feature_files, finished_part
from fuzzing.sources import CONFIG, COUNT, files, place
from fuzzing.tables import COLUMN_EDITS, edited_parquet
from fuzzing.target import target
from fuzzing.trees import EDITS, edited_json
from gan.data.building.build import build_dataset
from gan.data.building.rejects import count_reasons, read_rejects
from gan.data.image_sets.image_set import open_image_set
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.data.store.dataset import read_dataset_info
from gan.data.store.resident import load_resident
from gan.data.store.resident_cache import RECORD, open_split
from gan.data.store.shards import read_column, read_digests, read_split, shard_paths, split_rows
from gan.errors import GanflowError
from gan.evaluation.gate import decide
from gan.evaluation.real import _loaded, _loaded_part
from gan.metrics.evaluation import Evaluation
from tasks.dataset.contents import read_version
from tasks.dataset.in_storage import md5_of, read_list, written_list
from tasks.evaluate.compare import comparing_config
from tasks.generate.manifest import verify_release
from tasks.ingest.outbox import pending
from tasks.runtime.settings import Settings


def _only(make, *names):
    return {name: data for name, data in make().items() if name in names}


SHARDS = ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet")


@target(partial(_only, dataset, "dataset.json"), edits=(EDITS, edited_json))
def dataset_json(name, data, folder):
    given = folder / "data"
    place(given, dataset() | {name: data})
    read_dataset_info(given)
    load_resident(given, "train", cache_dir=folder / "cache", md5=MD5)
    open_image_set(given, scratch=folder / "scratch")


@target(partial(_only, dataset, *SHARDS))
def shard_bytes(name, data, folder):
    _read_shards(name, data, folder)


@target(partial(_only, dataset, *SHARDS), edits=(COLUMN_EDITS, edited_parquet))
def shard_columns(name, data, folder):
    _read_shards(name, data, folder)


@target(
    lambda: {"files.json": written_list(dict.fromkeys(["dataset.json", *SHARDS], MD5))},
    edits=(EDITS, edited_json),
    errors=(ValueError,),
)
def list_of_files(name, data, folder):
    """Of a version in a cluster's storage, as one would be who can make the md5 right."""
    for each in read_list(data, md5_of(data)):
        assert (folder / each).resolve().parent == folder.resolve()


def _read_shards(name, data, folder):
    """Read a dataset by each of its readers; what one of them refuses is still for the others to read."""
    given, split = folder / "data", name.partition("-")[0]
    place(given, dataset() | {name: data})
    readers = (
        lambda: split_rows(given, split),
        lambda: list(read_split(given, split)),
        lambda: [read_column(given, split, column) for column in ("sha256", "label")],
        lambda: [read_digests(path) for path in shard_paths(given, split)],
        lambda: load_resident(given, split, cache_dir=folder / "cache", md5=MD5),
        lambda: open_image_set(given, scratch=folder / "scratch"),
        lambda: read_version(MD5, {path.name: path for path in given.iterdir()}, {}),
    )
    refused = None
    for read in readers:
        try:
            read()
        except GanflowError as error:
            refused = error
    _build(folder, previous=given)  # a broken earlier version is done without
    if refused:
        raise refused


def _build(folder, out="new", previous=None):
    if not (folder / "set").exists():  # written again, they would be newer, and their parts made again
        place(folder / "set", files())
    source = open_source(SourceSpec(str(folder / "set")), folder / "scratch")
    quarantine = folder / "quarantine.jsonl"
    build_dataset(source, CONFIG, folder / out, work=folder / "parts", quarantine=quarantine, previous=previous)
    assert split_rows(folder / out, "train") + split_rows(folder / out, "test") == COUNT


@target(partial(_only, dataset, "dataset.json"), edits=(EDITS, edited_json))
def version_in_the_cache(name, data, folder):
    place(folder, dataset() | {name: data})
    read_version(MD5, {path.name: path for path in folder.iterdir()}, {})


@target(partial(_only, dataset, "quarantine.jsonl"))
def quarantine_list(name, data, folder):
    place(folder, {name: data})
    read_rejects(folder / name, 50)
    count_reasons(folder / name)


@target(lambda: {"part.arrow": finished_part()})
def part_store(name, data, folder):
    _build(folder, "first")
    (part,) = (folder / "parts").iterdir()
    part.write_bytes(data)
    _build(folder, "second")


@target(partial(_only, decoded, RECORD), edits=(EDITS, edited_json))
def resident_record(name, data, folder):
    place(folder, decoded() | {name: data})
    for split in ("train", "test"):
        open_split(folder, split)


@target(lambda: {name: data for name, data in decoded().items() if name.endswith("npy")})
def resident_arrays(name, data, folder):
    """Their record tells of these very bytes, as one who may write there would have it."""
    there = decoded() | {name: data}
    arrays = {each: content for each, content in there.items() if each.endswith("npy")}
    record = {
        each: {"size": len(content), "mtime_ns": 0, "sha256": hashlib.sha256(content).hexdigest()}
        for each, content in arrays.items()
    }
    place(folder, arrays | {RECORD: as_bytes({"format_version": 1, "files": record})})
    for split in ("train", "test"):
        open_split(folder, split)


@target(feature_files, errors=())
def features_in_the_cache(name, data, folder):
    place(folder, feature_files() | {name: data})
    _loaded(folder)
    _loaded_part(folder / name)


@target(lambda: {"evaluation.json": as_bytes(evaluation().model_dump(mode="json"))}, edits=(EDITS, edited_json))
def evaluation_json(name, data, folder):
    place(folder, {name: data})
    found = Evaluation.from_json(folder / name)
    decide(found, None)
    decide(found, evaluation())


def _manifest():
    shards = _only(dataset, SHARDS[0])
    return {
        "format_version": 1,
        "name": "v3-001",
        "model": {"name": "gan-generator", "version": 3, "run_id": "r77"},
        "generation": {"num_images": _rows(), "first_seed": 5, "batch_size": 8, "precision": "fp32"},
        "quality": evaluation().model_dump(mode="json"),
        "files": {each: hashlib.sha256(content).hexdigest() for each, content in shards.items()},
    }


def _rows():
    return json.loads(dataset()["dataset.json"])["num_train"]


@target(lambda: {"manifest.json": as_bytes(_manifest())}, edits=(EDITS, edited_json))
def release_manifest(name, data, folder):
    place(folder, {SHARDS[0]: dataset()[SHARDS[0]], name: data})
    comparing_config((folder,))
    verify_release(folder)


@target(
    lambda: {"ingest-owed.json": as_bytes({"before": MD5, "announce": True, "record": True, "event": "e"})},
    edits=(EDITS, edited_json),
    errors=(),
)
def outbox(name, data, folder):
    place(folder, {f".ganflow/{name}": data, "data.dvc": f"outs:\n- md5: {'f' * 32}.dir\n  path: data\n".encode()})
    pending(Settings(ganflow_home=folder))
