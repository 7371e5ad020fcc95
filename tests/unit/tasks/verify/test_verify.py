"""Verifying a release: each way in which it may not be what it says has a sentence of its own."""

import hashlib
import json
import os

import pytest
from fuzzing.releases import KEY, MARK, NAMES, OTHER_KEY, drawn, release, seal, shard
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.errors import InputError
from gan.release.marks import Mark, png_chunks
from tasks.generate.signature import SIGNATURE
from tasks.runtime.settings import Settings
from tasks.verify.verify import find_release, verify

FIRST, SECOND = "train-00000-of-00002.parquet", "train-00001-of-00002.parquet"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Settings(ganflow_home=tmp_path / "home")


@pytest.fixture
def folder(home):
    return release(home.synthetic_dir / MARK.release)


def told(home, folder, **options):
    found = verify(home, folder, **options)
    return found, {problem.kind: problem.sentence for problem in found.problems}


def write_first(folder, **changes):
    """The first shard again, with other rows, and the manifest as it was."""
    images, labels, seeds = drawn()
    options = {}
    if "pixels" in changes:
        images[changes["pixels"], 3, 4, 0] ^= 1
    if "chunks" in changes:
        row, chunk = changes["chunks"]
        options["chunks"] = [png_chunks(MARK)] * 12
        options["chunks"][row] = chunk
    if "digests" in changes:
        options["digests"] = changes["digests"]
    labels, seeds = changes.get("labels", labels[:12]), changes.get("seeds", seeds[:12])
    shard(images[:12], labels, seeds, folder, index=0, count=2, **options)


def test_a_release_that_is_as_it_was_made(home, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    found, problems = told(home, folder, trusted=KEY.fingerprint)
    assert problems == {}
    assert found.sound
    assert found.model_dump(mode="json", exclude={"notes", "path"}) == {
        "name": "v3-001",
        "model": "gan-generator",
        "version": 3,
        "files": 3,
        "images": 25,
        "marked": 25,
        "signed_by": KEY.fingerprint,
        "key_compared": True,
        "regenerated": 0,
        "equal": 0,
        "near": 0,
        "state": None,
        "reason": None,
        "problems": [],
        "as_made": True,
        "sound": True,
    }
    drawn_again, recalled = found.notes
    assert drawn_again.startswith("nothing was drawn again: there is no registry at ")
    assert recalled.startswith("whether it was recalled is not known: there is no registry at ")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not (home.home / "mlflow.db").exists()
    assert not home.state_dir.exists()


def test_without_a_key_it_says_who_signed_and_that_it_was_not_compared(home, folder):
    found, problems = told(home, folder)
    assert problems == {}
    assert found.signed_by == KEY.fingerprint
    assert not found.key_compared
    assert any("give --key" in note for note in found.notes)


def test_a_release_of_before_there_were_marks_and_signatures(home):
    folder = release(home.synthetic_dir / "old", key=None, marked=False)
    found, problems = told(home, folder)
    assert problems == {}
    assert found.marked == 0
    assert found.signed_by is None
    assert any("25 of 25 images carry no mark" in note for note in found.notes)
    assert any("not signed" in note for note in found.notes)


def test_a_changed_pixel(home, folder):
    images, _, _ = drawn()
    write_first(folder, pixels=7, digests=[hashlib.sha256(image.tobytes()).digest() for image in images[:12]])
    found, problems = told(home, folder)
    assert problems.keys() == {"file", "pixels"}
    assert problems["file"] == f"changed since the release was made, by their sha256: {FIRST}"
    assert problems["pixels"].startswith("1 image (row 7) is not as made: the pixels are not")
    assert found.marked == 25


def test_a_pixel_that_was_changed_with_its_sha256_is_left_to_the_generator(home, folder):
    write_first(folder, pixels=7)
    _, problems = told(home, folder)
    assert problems.keys() == {"file"}  # and drawn again, see test_regenerate


def test_a_stripped_mark(home, folder):
    write_first(folder, chunks=(5, b""))
    found, problems = told(home, folder)
    assert problems.keys() == {"file", "mark"}
    assert problems["mark"] == "1 image (row 5) is without the mark that says it is synthetic"
    assert found.marked == 24


def test_a_mark_of_another_generator(home, folder):
    write_first(folder, chunks=(5, png_chunks(Mark("other", 9, "", ""))))
    _, problems = told(home, folder)
    assert problems["mark"] == "1 image (row 5) is marked as something else than manifest.json says"


def test_a_broken_mark(home, folder):
    write_first(folder, chunks=(0, png_chunks(MARK) + png_chunks(MARK)))
    _, problems = told(home, folder)
    assert problems["mark"] == "1 image (row 0) is with a mark that cannot be read"


def test_marks_that_were_stripped_from_the_manifest_too_show_in_its_signature(home, folder):
    images, labels, seeds = drawn()
    for index, rows in enumerate((slice(0, 12), slice(12, 25))):
        own = [b""] * len(images[rows])
        shard(images[rows], labels[rows], seeds[rows], folder, index=index, count=2, chunks=own)
    signature = (folder / SIGNATURE).read_bytes()
    seal(folder, marks=None)
    (folder / SIGNATURE).write_bytes(signature)
    _, problems = told(home, folder)
    assert problems.keys() == {"manifest"}
    assert problems["manifest"] == f"manifest.json is not what {KEY.fingerprint} signed: it was changed since then"


def test_a_manifest_that_calls_the_images_photographs(home, folder):
    changed = {"Iptc4xmpExt:DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"}
    seal(folder, marks=changed)
    _, problems = told(home, folder)
    assert "mark" in problems


@pytest.mark.parametrize("changes", [{"name": "v3-002"}, {"dataset_md5": "f" * 32}, {"quality": {"fid": 0.1}}])
def test_a_changed_manifest(home, folder, changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes, indent=2) + "\n")
    found, problems = told(home, folder, trusted=KEY.fingerprint)
    assert problems.keys() == {"manifest"}
    assert "is not what" in problems["manifest"]
    assert found.signed_by is None
    assert not found.key_compared


def test_a_manifest_that_is_none_of_a_release(home, folder):
    (folder / "manifest.json").write_text('{"name": "v3-001"}')
    found, problems = told(home, folder)
    assert not found.sound
    assert any("is none of a release (model: " in problem.sentence for problem in found.problems)
    assert problems["manifest"]


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b", "./a", "", "manifest.json", "a//b", "\0"])
def test_a_manifest_that_names_files_elsewhere_opens_none(home, folder, name):
    seal(folder, files={name: "0" * 64}, key=None)
    found, problems = told(home, folder)
    assert problems.keys() == {"manifest"}
    assert "no file of the release" in problems["manifest"]
    assert found.files == 0


def test_another_key(home, folder):
    _, problems = told(home, folder, trusted=OTHER_KEY.fingerprint)
    assert problems == {"key": f"signed by another key: {KEY.fingerprint}, and not {OTHER_KEY.fingerprint}"}


def test_whoever_signs_again_with_a_key_of_their_own_is_told_by_the_key(home, folder):
    write_first(folder, pixels=7)
    seal(folder, key=OTHER_KEY)
    found, problems = told(home, folder, trusted=KEY.fingerprint)
    assert problems.keys() == {"key"}
    assert found.signed_by == OTHER_KEY.fingerprint
    (folder / SIGNATURE).write_text(OTHER_KEY.sign((seal(folder) / "manifest.json").read_bytes()).to_json())
    _, problems = told(home, folder)
    assert problems == {"key": f"signed by {OTHER_KEY.fingerprint}, but manifest.json says by {KEY.fingerprint}"}


def test_a_signature_that_was_taken_away(home, folder):
    (folder / SIGNATURE).unlink()
    _, problems = told(home, folder)
    assert problems == {"signature": f"manifest.json says that {KEY.fingerprint} signed it, but {SIGNATURE} is missing"}
    seal(folder, key=None)
    _, problems = told(home, folder, trusted=KEY.fingerprint)
    assert problems == {"signature": f"the release is not signed, so nothing says that it is of {KEY.fingerprint}"}


def test_a_signature_that_is_none(home, folder):
    (folder / SIGNATURE).write_text("x")
    _, problems = told(home, folder)
    assert problems == {"signature": "manifest.json.sig is no signature (it is malformed)"}


@pytest.mark.parametrize("name", ["README.md", FIRST, SECOND])
def test_a_missing_file(home, folder, name):
    (folder / name).unlink()
    _, problems = told(home, folder)
    assert problems == {"missing": f"missing, although manifest.json names them: {name}"}


def test_further_files(home, folder):
    (folder / "a").mkdir()
    for name in ("a/notes.txt", "b", "c", "d"):
        (folder / name).touch()
    (folder / "loop").symlink_to(folder)
    _, problems = told(home, folder)
    assert problems == {
        "extra": "no part of the release, for manifest.json does not name them: a/notes.txt, b, c and 2 more"
    }


def test_what_is_no_file_is_not_waited_for(home, folder):
    (folder / "README.md").unlink()
    os.mkfifo(folder / "README.md")
    _, problems = told(home, folder)
    assert problems == {"file": "README.md is no file"}


def test_counts_that_are_others(home, folder):
    seal(folder, counts=dict(zip(NAMES, (8, 9, 8), strict=True)))
    _, problems = told(home, folder)
    assert problems == {"rows": "manifest.json counts other images of each class than there are"}
    seal(folder, generation={"num_images": 26, "batch_size": 8})
    _, problems = told(home, folder)
    assert problems == {"rows": "manifest.json says 26 images, and there are 25"}


def test_images_of_another_size(home, folder):
    seal(folder, image={"height": 8, "width": 9, "channels": 1})
    _, problems = told(home, folder)
    assert problems == {"pixels": "25 images (row 0, 1, 2 and 22 more) are no image of the release's size"}


def test_a_shard_that_is_none(home, folder):
    (folder / FIRST).write_bytes(b"PAR1 none")
    seal(folder)
    _, problems = told(home, folder)
    assert problems.keys() == {"rows"}
    assert problems["rows"].startswith(f"{FIRST} is broken (")


def test_the_version_that_dvc_tracks_tells_of_a_manifest_that_was_changed_without_a_signature(home):
    folder = release(home.synthetic_dir / MARK.release, key=None)
    from tasks.dataset.in_storage import md5_of, written_list

    md5 = md5_of(written_list({path.name: md5_of(path.read_bytes()) for path in folder.iterdir()}))
    pointer = folder.with_name(f"{folder.name}.dvc")
    pointer.write_text(f"outs:\n- md5: {md5}.dir\n  path: {folder.name}\n")
    assert told(home, folder)[1] == {}
    seal(folder, key=None, dataset_md5="f" * 32)
    _, problems = told(home, folder)
    assert problems.keys() == {"manifest"}
    assert "is not of the version that v3-001.dvc names" in problems["manifest"]
    pointer.write_text("x")
    found, problems = told(home, folder)
    assert problems == {}
    assert any("malformed" in note for note in found.notes)


def test_asking_to_draw_again_where_nothing_can_is_a_fault(home, folder):
    found, problems = told(home, folder, sample=10)
    assert problems.keys() == {"not checked"}
    assert "--regenerate 10 was asked for, but nothing was drawn again: there is no registry" in problems["not checked"]
    found, problems = told(home, folder, sample=0)
    assert problems == {}
    assert any("--regenerate is 0" in note for note in found.notes)


@settings(max_examples=60)
@given(data=st.data())
def test_whatever_byte_is_flipped_it_is_told(tmp_path_factory, data):
    home = Settings(ganflow_home=tmp_path_factory.mktemp("home"), mlflow_tracking_uri=None)
    folder = release(home.synthetic_dir / "r")
    name = data.draw(st.sampled_from(["README.md", FIRST, SECOND, "manifest.json", SIGNATURE]))
    content = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    (folder / name).write_bytes(content)
    found, problems = told(home, folder)
    assert not found.sound
    expected = {"README.md": {"file"}, "manifest.json": {"manifest"}, SIGNATURE: {"signature", "manifest", "key"}}
    assert problems.keys() & expected.get(name, {"file"})


@pytest.mark.parametrize("named", ["v3-001", "folder"])
def test_a_release_is_found_by_its_name_or_folder(home, folder, named):
    assert find_release(home, str(folder) if named == "folder" else named) == folder


def test_releases_that_are_not_there(home):
    home.synthetic_dir.mkdir(parents=True)
    (home.synthetic_dir / "v1-001.dvc").touch()
    with pytest.raises(InputError, match="get it with `dvc pull"):
        find_release(home, "v1-001")
    with pytest.raises(InputError, match=r"neither a folder with a manifest\.json nor a release"):
        find_release(home, "nothing")


def test_progress_is_told(home, folder):
    seen = []
    verify(home, folder, on_progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (25, 25)
