"""Release folders: their bytes, their names, and what is refused."""

import hashlib
import json
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from gan.configuration.config import NetworkConfig, ReleaseConfig
from gan.data.store.shards import read_column, read_split
from gan.errors import InputError, ReleaseError
from gan.generation.export import SeededGenerator
from gan.metrics.evaluation import Evaluation, Metric
from gan.metrics.protocol import Protocol
from gan.networks.build import build_generator
from gan.release.shard import Marks
from tasks.generate.manifest import verify_release
from tasks.generate.marking import Proof
from tasks.generate.names import first_seed, next_name
from tasks.generate.partial import forget_partial, take_back
from tasks.generate.release import build_release
from tasks.generate.selecting import Selecting
from tasks.reports.release_page import release_html
from tasks.runtime.settings import Settings
from tasks.tracking.versions import RegisteredModel

MD5 = "0123456789abcdef" * 2
CONFIG = ReleaseConfig(num_images=25, batch_size=8)
NAMES = ("zero", "one", "two")
MODEL = RegisteredModel(3, "r77", MD5, NAMES, "gan-generator")
EVALUATION = Evaluation(
    protocol=Protocol(
        num_generated=1000,
        num_reference=900,
        reference_split="train",
        resize="tf1",
        network="inception",
        network_sha256="s",
        precision="bf16",
        dataset_md5=MD5,
        seed=0,
    ),
    metrics={"kid1k": Metric(value=0.01)},
)


def program_of(num_classes, psi=1.0):
    torch.manual_seed(0)
    network = NetworkConfig(widths=(8, 8), latent_dim=4, embedding_dim=4, group_width=4, expansion=1)
    G = build_generator(network, channels=1, num_classes=num_classes)
    for parameter in G.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return SeededGenerator(G, psi)


PROGRAM = program_of(3)


def home(path):
    settings = Settings(ganflow_home=path)
    settings.state_dir.mkdir(parents=True)
    return settings


@pytest.fixture
def settings(tmp_path):
    return home(tmp_path / "home")


def build(settings, *, model=MODEL, program=PROGRAM, config=CONFIG, name="v3-001", recorded=True, **others):
    others = {"evaluation": EVALUATION, "training_digests": (), "configuration": "of version 3", **others}
    made = build_release(settings, model, program, config, name=name, **others)
    if recorded:
        forget_partial(settings, name)
    return made


def contents(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_first_seeds_are_frozen_and_leave_room():
    seeds = {
        first_seed("gan-generator", version, name)
        for version in range(50)
        for name in ("v1-001", "v1-002", "weekly", "é")
    }
    assert len(seeds) == 200
    assert 0 <= min(seeds) < 2**59
    assert 2**61 < max(seeds) < 2**62
    digest = hashlib.sha256(b"gan-generator/3/v3-001").hexdigest()
    assert first_seed("gan-generator", 3, "v3-001") == int(digest[:16], 16) // 4


def test_the_next_name_is_the_first_that_is_not_tracked(settings):
    assert next_name(settings, 3) == "v3-001"
    settings.synthetic_dir.mkdir()
    for name in ("v3-001.dvc", "v3-003.dvc", "v2-002.dvc"):
        (settings.synthetic_dir / name).touch()
    # A folder without its .dvc file was killed before it was tracked: its name is taken up again.
    (settings.synthetic_dir / "v3-002").mkdir()
    assert next_name(settings, 3) == "v3-002"
    # So is that of one that was killed before it was recorded; one in quarantine keeps its own.
    (settings.state_dir / "releases" / "v3-001").mkdir(parents=True)
    assert next_name(settings, 3) == "v3-001"
    (settings.state_dir / "quarantine" / "v3-001").mkdir(parents=True)
    assert next_name(settings, 3) == "v3-001"
    (settings.state_dir / "releases" / "v3-001").rmdir()
    (settings.synthetic_dir / "v3-001.dvc").unlink()
    assert next_name(settings, 3) == "v3-002"
    assert next_name(settings, 2) == "v2-001"
    assert next_name(settings, 30) == "v30-001"
    assert next_name(settings, 2, {"v2-001": "removed"}) == "v2-003"


def test_a_release_says_what_it_is(settings):
    done = []
    release = build(settings, on_progress=done.append)
    assert done == [0, 8, 16, 24, 25]
    assert release.folder == settings.home / "synthetic" / "v3-001"
    assert not release.existed
    files = {"README.md", "croissant.json", "samples.png", "train-00000-of-00001.parquet"}
    assert {path.name for path in release.folder.iterdir()} == files | {"manifest.json"}
    manifest = json.loads((release.folder / "manifest.json").read_text())
    assert manifest == release.manifest == verify_release(release.folder)
    assert manifest["files"] == {name: digest for name, digest in contents(release.folder).items() if name in files}
    assert manifest["model"] == {"name": "gan-generator", "version": 3, "run_id": "r77"}
    assert manifest["dataset_md5"] == MD5
    assert manifest["generation"] == {
        "num_images": 25,
        "first_seed": first_seed("gan-generator", 3, "v3-001"),
        "batch_size": 8,
        "format": "parquet",
        "shard_images": 10_000,
        "balance": "equal",
        "max_attempts": 1,
        "precision": "fp32",
    }
    classes = {"asked_by_class": {"zero": 9, "one": 8, "two": 8}}
    assert manifest["selection"] == {
        "asked": 25,
        "kept": 25,
        "yield": 1.0,
        **classes,
        "rejected": {},
        "most_attempts": 1,
    }
    assert manifest["configuration"] == "of version 3"
    assert manifest["counts"] == {"zero": 9, "one": 8, "two": 8}
    assert manifest["image"] == {"height": 8, "width": 8, "channels": 1}
    assert manifest["privacy"]["exact_copies_of_training_images"] == 0
    assert Evaluation.model_validate(manifest["quality"]) == EVALUATION
    assert str(settings.home) not in "".join(path.read_text("latin-1") for path in release.folder.iterdir())
    assert [path for path in settings.state_dir.rglob("*") if path.is_file()] == []


def test_each_image_can_be_drawn_again_from_the_columns_beside_it(settings):
    folder = build(settings).folder
    images = np.concatenate([images for images, _ in read_split(folder, "train")])
    seeds, labels = read_column(folder, "train", "seed"), read_column(folder, "train", "label")
    assert seeds == list(range(first_seed("gan-generator", 3, "v3-001"), first_seed("gan-generator", 3, "v3-001") + 25))
    assert [labels.count(label) for label in range(3)] == [9, 8, 8]
    alone = PROGRAM(torch.tensor([[seeds[19], labels[19]]])).numpy()[0]
    assert np.abs(images[19].astype(int) - alone).max() <= 1
    assert len({image.tobytes() for image in images}) == 25


def test_the_same_release_has_the_same_bytes_in_every_home(tmp_path):
    one, two = (build(home(tmp_path / name)) for name in ("one", "elsewhere/two"))
    assert contents(one.folder) == contents(two.folder)
    assert one.manifest == two.manifest


def test_other_names_and_seeds_give_other_images(settings):
    folders = [build(settings).folder, build(settings, name="v3-002").folder, build(settings, name="s", seed=5).folder]
    assert read_column(folders[2], "train", "seed")[0] == 5
    digests = [set(read_column(folder, "train", "sha256")) for folder in folders]
    assert not digests[0] & digests[1]
    assert not digests[0] & digests[2]


def test_a_finished_release_is_checked_and_not_made_again(settings):
    first = build(settings)
    before = contents(first.folder)

    def broken(rows):
        raise AssertionError("nothing needs to be drawn")

    again = build(settings, program=broken)
    assert again.existed
    assert again.manifest == first.manifest
    assert contents(again.folder) == before


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"config": ReleaseConfig(num_images=26, batch_size=8)},
            "v3-001 exists with num_images 25, not 26: give another --name",
        ),
        ({"config": ReleaseConfig(num_images=25, batch_size=9)}, "batch_size 8, not 9"),
        ({"seed": 5}, r"first_seed \d+, not 5"),
        ({"config": ReleaseConfig(num_images=25, batch_size=8, truncation=0.7)}, "truncation 1.0, not 0.7"),
        ({"model": RegisteredModel(4, "r78", MD5, NAMES, "gan-generator")}, "model_version 3, not 4"),
    ],
)
def test_an_existing_release_with_other_settings_is_refused(settings, changes, sentence):
    before = contents(build(settings).folder)
    with pytest.raises(ReleaseError, match=sentence):
        build(settings, **changes)
    assert contents(settings.synthetic_dir / "v3-001") == before


@pytest.mark.parametrize(("side", "size"), [(8, 250), (91, 250), (92, 247), (256, 32)])
def test_large_images_are_drawn_fewer_at_a_time_unless_a_number_is_asked_for(settings, side, size):
    def program(rows):
        images = rows.to(torch.uint8)[:, :1, None, None].expand(-1, side, side, 1).clone()
        images[:, 0, 0, 0] = rows[:, 0] // 256 % 256
        return images

    whole = {"program": program, "name": "large"}
    config = ReleaseConfig(num_images=3)
    assert build(settings, config=config, **whole).manifest["generation"]["batch_size"] == size
    assert build(settings, config=config, **whole).existed
    assert build(settings, config=config.model_copy(update={"batch_size": size}), **whole).existed
    with pytest.raises(ReleaseError, match=f"large exists with batch_size {size}, not 7"):
        build(settings, config=config.model_copy(update={"batch_size": 7}), **whole)


def test_a_truncated_release_says_so_and_is_another_one(settings):
    plain = build(settings, name="plain")
    assert "truncation" not in json.dumps(plain.manifest)
    assert not any(b"truncation" in (plain.folder / name).read_bytes() for name in plain.manifest["files"])
    config = CONFIG.model_copy(update={"truncation": 0.7})
    release = build(settings, program=program_of(3, 0.7), config=config)
    assert release.manifest["generation"]["truncation"] == 0.7
    card = (release.folder / "README.md").read_text()
    assert "drawn 8 at a time, with truncation 0.7" in card
    assert "is a function of (model version, seed, label, truncation)" in card
    assert "Truncation 0.7 drew the images nearer to the mean of their class" in card
    assert "with truncation 0.7" in json.loads((release.folder / "croissant.json").read_text())["description"]
    assert "with truncation 0.7" in release_html(release.manifest, b"", [], [])
    assert build(settings, program=program_of(3, 0.7), config=config).existed
    with pytest.raises(ReleaseError, match=r"v3-001 exists with truncation 0\.7, not 1\.0: give another --name"):
        build(settings)


@pytest.mark.parametrize("order", [(1.0, 0.7), (0.7, 1.0)])
def test_shards_of_another_truncation_are_not_gone_on_with(settings, order):
    def dies(filling, quotas):
        raise KeyboardInterrupt

    said, judge = [], Chosen()
    judge.judged = dies
    drawn = [{"program": program_of(3, psi), "config": CONFIG.model_copy(update={"truncation": psi})} for psi in order]
    with pytest.raises(KeyboardInterrupt):
        build(settings, judge=judge, **drawn[0])
    release = build(settings, on_warning=said.append, **drawn[1])
    assert said == [f"the unfinished release v3-001 had truncation {order[0]}, not {order[1]}: it is begun anew"]
    wanted = build(home(settings.home / "other"), **drawn[1])
    assert contents(release.folder) == contents(wanted.folder)


class Chosen:
    """A judge that keeps all images."""

    selecting = Selecting()

    def __call__(self, filling, quotas):
        return self.judged(filling, quotas)


@pytest.mark.parametrize("name", ["README.md", "samples.png", "train-00000-of-00001.parquet"])
@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_changed_file_is_refused(settings, name, damage):
    path = build(settings).folder / name
    data = path.read_bytes()
    path.unlink()
    if damage == "change":
        path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    with pytest.raises(ReleaseError, match=rf"v3-001/{name} is not as manifest\.json says: remove the folder"):
        build(settings)


def test_an_extra_file_is_refused(settings):
    folder = build(settings).folder
    (folder / "notes.txt").touch()
    with pytest.raises(ReleaseError, match=r"notes\.txt is not as manifest\.json says"):
        verify_release(folder)


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"files": {}}', "\xff"])
def test_a_folder_without_a_manifest_is_refused(settings, text):
    folder = build(settings).folder
    (folder / "manifest.json").unlink()
    if text is not None:
        (folder / "manifest.json").write_text(text, "latin-1")
    with pytest.raises(ReleaseError, match=r"has no readable manifest\.json: remove the folder"):
        build(settings)


@pytest.mark.parametrize("files", [{"../../x": "0" * 64}, {"/etc/passwd": "0" * 64}, ["x"], "x", 3, None, [{}]])
def test_a_manifest_that_names_other_files_is_refused(settings, files):
    folder = build(settings).folder
    manifest = json.loads((folder / "manifest.json").read_text())
    for named in (files, manifest["files"] | files if isinstance(files, dict) else files):
        (folder / "manifest.json").write_text(json.dumps(manifest | {"files": named}))
        with pytest.raises(ReleaseError, match=r"is not as manifest.json says|no readable manifest.json"):
            verify_release(folder)


def test_a_manifest_that_counts_other_images_is_refused(settings):
    folder = build(settings).folder
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["generation"]["num_images"] = 26
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ReleaseError, match=r"has 25 images but manifest\.json says 26"):
        verify_release(folder)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/tmp/x", "x/", ".hidden", "../../etc"])
def test_names_that_are_no_plain_folder_names_are_refused(settings, name):
    with pytest.raises(ReleaseError, match=r"cannot be called «.*»: give --name a plain folder name"):
        build(settings, name=name)
    assert not settings.synthetic_dir.exists()


def test_seeds_reach_to_the_end_of_int64(settings):
    last = build(settings, seed=2**63 - 1 - 25, name="last").folder
    assert read_column(last, "train", "seed")[-1] == 2**63 - 2


def test_a_seed_that_leaves_no_room_is_refused(settings):
    with pytest.raises(InputError, match="seed"):
        build(settings, seed=2**63)


def test_a_program_that_fails_leaves_nothing(settings):
    def broken(rows):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        build(settings, program=broken)
    assert [path for path in settings.ganflow_home.rglob("*") if path.is_file()] == []


def test_where_renaming_is_impossible_the_folder_is_copied_beside_its_goal(settings, monkeypatch):
    from tasks.generate import release

    real = release.os.replace

    def other_device(source, target):
        if str(settings.state_dir) in str(source) and str(settings.synthetic_dir) in str(target):
            raise OSError(18, "Invalid cross-device link")
        real(source, target)

    monkeypatch.setattr(release.os, "replace", other_device)
    settings.synthetic_dir.mkdir()
    built = build(settings, recorded=False)
    assert verify_release(built.folder) == built.manifest
    assert [path.name for path in settings.synthetic_dir.iterdir()] == ["v3-001"]
    take_back(settings, built.folder)
    assert list(settings.synthetic_dir.iterdir()) == []
    assert build(settings).manifest == built.manifest


def test_marks_are_in_every_image_and_the_manifest_says_so(settings):
    body = b"tEXtSoftware\0ganflow"
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    plain = build(settings, name="plain", seed=5)
    marks = Marks(chunk, {"ganflow.release": "r"}, {}, {"tool": "ganflow"})
    marked = build(settings, name="marked", seed=5, proof=Proof(marks))
    assert marked.manifest["marks"] == {"tool": "ganflow"}
    assert plain.manifest["marks"] is None
    images = [read_column(each.folder, "train", "image") for each in (plain, marked)]
    assert all(
        after["bytes"] == before["bytes"][:33] + chunk + before["bytes"][33:]
        for before, after in zip(*images, strict=True)
    )
    assert len({tuple(read_column(each.folder, "train", "sha256")) for each in (plain, marked)}) == 1


def test_an_unfinished_release_of_other_settings_is_begun_anew(settings):
    def killed(rows):
        if len(rows) > 1 and int(rows[0, 0]) >= 16:
            raise RuntimeError("killed")
        return PROGRAM(rows)

    few = CONFIG.model_copy(update={"shard_images": 7})
    with pytest.raises(RuntimeError, match="killed"):
        build(settings, program=killed, config=few, seed=0)
    told = []
    found = build(settings, config=few.model_copy(update={"num_images": 24}), seed=0, on_warning=told.append)
    assert told == ["the unfinished release v3-001 had num_images 25, not 24: it is begun anew"]
    assert found.manifest["generation"]["num_images"] == 24
    assert len(list(found.folder.glob("*.parquet"))) == 4


def test_a_release_that_exists_with_other_quotas_is_refused(settings):
    build(settings, quotas=[20, 5, 0])
    assert build(settings, quotas=[20, 5, 0]).existed
    with pytest.raises(ReleaseError, match="v3-001 exists with other images by class: give another --name"):
        build(settings, quotas=[5, 20, 0])


def test_a_release_that_is_not_recorded_yet_is_taken_back_and_made_of_its_shards(settings):
    wanted = build(settings, recorded=False)
    content = {path.name: path.read_bytes() for path in wanted.folder.iterdir()}
    take_back(settings, wanted.folder)
    assert list(settings.synthetic_dir.iterdir()) == []

    def again(rows):
        assert len(rows) == 1, "but for its size nothing is drawn again"
        return PROGRAM(rows)

    found = build(settings, program=again)
    assert not found.existed
    assert {path.name: path.read_bytes() for path in found.folder.iterdir()} == content
    take_back(settings, found.folder)
    assert build(settings).existed, "recorded, it stays"


def test_a_release_that_is_not_recorded_yet_may_become_another_one(settings):
    build(settings, recorded=False)
    told, fewer = [], CONFIG.model_copy(update={"num_images": 24})
    assert build(settings, config=fewer, on_warning=told.append).manifest["generation"]["num_images"] == 24
    assert told == ["the unfinished release v3-001 had num_images 25, not 24: it is begun anew"]


def test_without_classes(settings):
    model = RegisteredModel(3, "r77", MD5, (), "gan-generator")
    release = build(settings, model=model, program=program_of(0))
    assert release.manifest["counts"] == {"unlabelled": 25}
    assert set(read_column(release.folder, "train", "label")) == {-1}


def test_fewer_images_than_classes(settings):
    release = build(settings, config=ReleaseConfig(num_images=2, batch_size=1))
    assert release.manifest["counts"] == {"zero": 1, "one": 1, "two": 0}


def test_copies_of_training_images_are_counted(settings):
    drawn = read_column(build(settings, name="before").folder, "train", "sha256")
    seed = first_seed("gan-generator", 3, "before")
    again = build(settings, name="after", seed=seed, training_digests=frozenset([*drawn[:4], "0" * 64]))
    assert again.manifest["privacy"] == {"exact_copies_of_training_images": 4}
    assert "4 of 25 images equal a training image" in (again.folder / "README.md").read_text()


@pytest.mark.parametrize("key", ["model", "first_seed", "batch_size"])
def test_a_manifest_that_lacks_a_key_is_refused(settings, key):
    folder = build(settings).folder
    manifest = json.loads((folder / "manifest.json").read_text())
    (manifest if key == "model" else manifest["generation"]).pop(key)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ReleaseError, match=r"manifest\.json"):
        build(settings)


def test_a_row_of_samples_holds_one_class(settings):
    folder = build(settings).folder  # 25 images of 3 classes: rows of 9, 8 and 8
    picture = np.asarray(Image.open(folder / "samples.png"))
    size = PROGRAM(torch.zeros(1, 2, dtype=torch.int64)).shape[1]
    cell = size * (48 // size) + 2
    assert picture.shape == (3 * cell - 2, 10 * cell - 2)
    assert [bool(picture[row * cell : row * cell + cell - 2, 8 * cell : 9 * cell - 2].any()) for row in range(3)] == [
        True,
        False,
        False,
    ]
