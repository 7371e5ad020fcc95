"""`croissant.json`, as MLCommons' own library reads it: records and pictures of each format, without a network."""

import csv
import hashlib
import io
import json
import socket
import tarfile

import mlcroissant as mlc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlcroissant._src.operation_graph.operations import extract

from gan.data.pixels.png import encode_pngs
from gan.data.store.shards import write_shards
from gan.release.croissant import (
    RAI,
    Described,
    DescribedFile,
    DescribedGenerator,
    croissant,
    croissant_json,
    licence_address,
)

NAMES = ("zero", "é: <b>", "two")
COUNT, FIRST_SEED = 7, 2**61 + 1  # no float holds these seeds
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 4, 5, 3), dtype=np.uint8)
LABELS = np.arange(COUNT) % 3
SEEDS = np.arange(FIRST_SEED, FIRST_SEED + COUNT)
GENERATOR = DescribedGenerator("gan-generator", 3, "0123456789abcdef" * 2)
RECOMMENDED = {"citeAs", "datePublished"}  # whoever publishes a release knows them


@pytest.fixture(autouse=True)
def no_network(monkeypatch, tmp_path):
    def refuse(*arguments):
        raise AssertionError("the network is asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(extract, "EXTRACT_PATH", extract.epath.Path(tmp_path / "extracted"))


def rows():
    return zip(encode_pngs(IMAGES), LABELS.tolist(), SEEDS.tolist(), strict=True)


def parquet(folder):
    for split, part in (("train", slice(0, 5)), ("test", slice(5, 7))):
        extra = {"seed": SEEDS[part]}
        write_shards(folder, split, IMAGES[part], LABELS[part], class_names=NAMES, extra=extra, shard_rows=3)


def webdataset(folder):
    for index, part in enumerate((slice(0, 3), slice(3, 7))):
        with tarfile.open(folder / f"train-{index:05d}-of-00002.tar", "w") as tar:
            for png, label, seed in list(rows())[part]:
                facts = json.dumps({"seed": seed, "label": label}).encode()
                for suffix, content in (("png", png), ("cls", str(label).encode()), ("json", facts)):
                    info = tarfile.TarInfo(f"{seed:019d}.{suffix}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))


def imagefolder(folder):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file_name", "label", "class", "seed"])
    for png, label, seed in rows():
        place = folder / "train" / ("a b", "c", "train")[label] / f"{seed:019d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png)
        writer.writerow([f"{place.parent.name}/{place.name}", label, NAMES[label], seed])
    (folder / "train/metadata.csv").write_text(text.getvalue())


def npz(folder):
    np.savez(folder / "train-00000-of-00001.npz", images=IMAGES, labels=LABELS, seeds=SEEDS)


WRITERS = {"parquet": parquet, "webdataset": webdataset, "imagefolder": imagefolder, "npz": npz}


def described(folder, form="parquet", **changes):
    files = [
        DescribedFile(path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest(), 1)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    facts = {
        "name": "v3-001",
        "description": "Seven images.",
        "format": form,
        "class_names": NAMES,
        "counts": {"train": {"zero": 3, "é: <b>": 2, "two": 2}},
        "files": files,
        "licence": "CC-BY-4.0",
        "source_url": "https://example.org/set",
        "credit": "A. N. Other",
        "generator": GENERATOR,
    }
    return Described(**facts | changes)


def loaded(folder, described):
    (folder / "croissant.json").write_text(croissant_json(described), "utf-8")
    dataset = mlc.Dataset(jsonld=str(folder / "croissant.json"))
    issues = dataset.metadata.ctx.issues
    assert issues.errors == set()
    assert all(any(f'{each}" is recommended' in text for each in RECOMMENDED) for text in issues.warnings)
    return dataset


def records(dataset, name):
    found = [{key.partition("/")[2]: value for key, value in record.items()} for record in dataset.records(name)]
    return [
        {key: value.decode() if isinstance(value, bytes) else value for key, value in each.items()} for each in found
    ]


@pytest.mark.parametrize("form", WRITERS)
def test_mlcroissant_takes_every_format(tmp_path, form):
    WRITERS[form](tmp_path)
    dataset = loaded(tmp_path, described(tmp_path, form))
    metadata = dataset.metadata
    assert (metadata.name, metadata.version) == ("v3-001", "1.0.0")
    assert metadata.license == ["https://spdx.org/licenses/CC-BY-4.0"]
    assert metadata.ctx.is_v1_1()
    assert metadata.data_collection_type == ["Synthetic"]
    assert "gan-generator version 3" in metadata.data_collection
    names = [each.id for each in metadata.record_sets]
    expected = {
        "parquet": ["splits", "classes", "images"],
        "webdataset": ["splits", "classes", "images", "labels"],
        "imagefolder": ["splits", "classes", "facts", "images"],
        "npz": [],
    }
    assert names == expected[form]
    if names:
        assert [each["name"] for each in records(dataset, "classes")] == list(NAMES)
        assert [each["train"] for each in records(dataset, "classes")] == [3, 2, 2]
        assert records(dataset, "splits") == [{"name": "train", "url": "cr:TrainingSplit", "images": 7}]


def as_pixels(record):
    return np.asarray(record["image"])


def test_a_parquet_release_loads_with_pictures_labels_and_seeds(tmp_path):
    parquet(tmp_path)
    counts = {"train": {"zero": 2}, "test": {"zero": 1}}
    found = records(loaded(tmp_path, described(tmp_path, counts=counts)), "images")
    by_seed = {record["seed"]: record for record in found}
    assert sorted(by_seed) == SEEDS.tolist()
    for image, label, seed in zip(IMAGES, LABELS.tolist(), SEEDS.tolist(), strict=True):
        record = by_seed[seed]
        assert np.array_equal(as_pixels(record), image)
        assert record["label"] == label
        assert record["split"] == ("train" if seed < FIRST_SEED + 5 else "test")
        assert record["sha256"] == hashlib.sha256(image.tobytes()).hexdigest()


def test_without_classes_and_seeds(tmp_path):
    write_shards(tmp_path, "train", IMAGES, [-1] * COUNT)
    told = described(tmp_path, class_names=(), generator=None, counts={"train": {"unlabelled": 7}}, licence=None)
    dataset = loaded_without_licence(tmp_path, told)
    assert [each.id for each in dataset.metadata.record_sets] == ["splits", "images"]
    assert {record["label"] for record in records(dataset, "images")} == {-1}
    assert "digitalSourceType" not in croissant(told)
    assert "rai:hasSyntheticData" not in croissant(told)


def loaded_without_licence(folder, told):
    RECOMMENDED.add("license")
    try:
        return loaded(folder, told)
    finally:
        RECOMMENDED.discard("license")


def test_a_webdataset_loads_in_two_sets_with_the_seed_as_key(tmp_path):
    webdataset(tmp_path)
    dataset = loaded(tmp_path, described(tmp_path, "webdataset"))
    found = {record["seed"]: as_pixels(record) for record in records(dataset, "images")}
    labels = {record["seed"]: record["label"] for record in records(dataset, "labels")}
    assert sorted(found) == sorted(labels) == SEEDS.tolist()
    for image, label, seed in zip(IMAGES, LABELS.tolist(), SEEDS.tolist(), strict=True):
        assert np.array_equal(found[seed], image)
        assert labels[seed] == label


def test_an_image_folder_loads_joined_with_its_index(tmp_path):
    imagefolder(tmp_path)
    dataset = loaded(tmp_path, described(tmp_path, "imagefolder"))
    found = {record["seed"]: record for record in records(dataset, "images")}
    assert sorted(found) == SEEDS.tolist()
    for image, label, seed in zip(IMAGES, LABELS.tolist(), SEEDS.tolist(), strict=True):
        assert np.array_equal(as_pixels(found[seed]), image)
        assert found[seed]["label"] == label


def test_files_are_named_with_their_hashes(tmp_path):
    parquet(tmp_path)
    (tmp_path / "README.md").touch()
    objects = [each for each in croissant(described(tmp_path))["distribution"] if each["@type"] == "cr:FileObject"]
    assert [each["@id"] for each in objects] == sorted(path.name for path in tmp_path.glob("*.parquet"))
    for each in objects:
        assert each["sha256"] == hashlib.sha256((tmp_path / each["contentUrl"]).read_bytes()).hexdigest()


def test_where_it_comes_from_is_said_in_the_words_of_the_standards(tmp_path):
    told = croissant(described(tmp_path))
    assert told["digitalSourceType"] == "https://schema.org/TrainedAlgorithmicMediaDigitalSource"
    assert told["rai:hasSyntheticData"] is True
    assert told["prov:wasAttributedTo"]["prov:label"] == "gan-generator version 3"
    assert told["prov:wasDerivedFrom"][1] == {"@id": "https://example.org/set"}
    assert told["isBasedOn"] == "https://example.org/set"
    assert told["creditText"] == "A. N. Other"
    assert "no guarantee of differential privacy" in told["rai:personalSensitiveInformation"]
    assert "photograph" not in croissant_json(described(tmp_path))
    own = croissant(described(tmp_path, rai={"dataLimitations": "Sevens look like ones."}))
    assert own["rai:dataLimitations"] == "Sevens look like ones."
    assert {key.removeprefix("rai:") for key in told if key.startswith("rai:")} <= RAI


def test_the_same_facts_give_the_same_bytes_and_no_time_or_place(tmp_path):
    parquet(tmp_path)
    text = croissant_json(described(tmp_path))
    assert text == croissant_json(described(tmp_path))
    assert str(tmp_path) not in text
    assert "date" not in {key for key in json.loads(text) if key.startswith("date")}


@pytest.mark.parametrize(
    ("spdx", "address"),
    [
        ("MIT", "https://spdx.org/licenses/MIT"),
        ("CC-BY-NC-SA-3.0", "https://spdx.org/licenses/CC-BY-NC-SA-3.0"),
        ("GPL-2.0+", "https://spdx.org/licenses/GPL-2.0+"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("LicenseRef-our-own", "LicenseRef-our-own"),
        ("../x", "../x"),
    ],
)
def test_licences_are_addresses_where_spdx_has_one(spdx, address):
    assert licence_address(spdx) == address


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=25)
@given(name=texts, description=texts, licence=texts, credit=texts, names=st.lists(texts, min_size=1, unique=True))
def test_any_texts_leave_it_valid(tmp_path_factory, name, description, licence, credit, names):
    folder = tmp_path_factory.mktemp("any")
    told = described(folder, name=name, description=description, licence=licence, credit=credit, class_names=names)
    dataset = loaded(folder, told)
    assert dataset.metadata.description == description
    assert [each["name"] for each in records(dataset, "classes")] == names
