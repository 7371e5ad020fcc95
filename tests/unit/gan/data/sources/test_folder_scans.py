"""Folders of DICOM files: several images of one file, and what stands nowhere of whom they show."""

import json
from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import set_pixel_data
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.files.tree import folder_tree
from gan.data.pixels.decode import WHITE
from gan.data.records import read_all
from gan.data.sources.folder import FolderSource
from gan.errors import DatasetError

SECRETS = {
    "PatientName": "Doe^Jane",
    "PatientID": "1234567",
    "PatientBirthDate": "19700131",
    "InstitutionName": "StElsewhere",
}
CONFIG = DataConfig(resolution=8, holdout_fraction=0.3)


def scan(seed, frames=1, **tags):
    values = np.random.default_rng(seed).integers(0, 4096, (frames, 8, 8), dtype=np.uint16)
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    set_pixel_data(made, values if frames > 1 else values[0], "MONOCHROME2", 12, generate_instance_uid=False)
    for name, value in {**SECRETS, **tags}.items():
        setattr(made, name, value)
    file = BytesIO()
    pydicom.dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "scans"
    for at in range(16):
        path = root / "ab"[at % 2] / f"{at:02}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(scan(at, frames=3 if at == 4 else 1))
    return root


def built(root, place, config=CONFIG):
    source = FolderSource(folder_tree(root), WHITE)
    return build_dataset(source, config, place / "data", work=place / "work", quarantine=place / "rejects.jsonl")


def test_every_frame_is_an_image_called_after_its_file(folder):
    paths = [record.path for record in read_all(FolderSource(folder_tree(folder), WHITE))]
    assert paths[:5] == ["a/00.dcm", "a/02.dcm", "a/04.dcm", "a/04.dcm/1", "a/04.dcm/2"]
    assert len(paths) == 18


def test_frames_are_in_the_dataset_and_nothing_of_a_person_is(folder, tmp_path):
    (folder / "a" / "none.dcm").write_bytes(scan(50, NumberOfFrames="2"))
    made = built(folder, tmp_path, CONFIG.model_copy(update={"max_reject_share": 0.1}))
    assert made.info.num_train + made.info.num_test == 18
    assert (made.info.window, made.info.windows) == ("auto", {"unsigned": (0, 4095)})
    assert "16-bit images: values 0 to 4095 shown as 0 to 255 (data.window=auto)" in made.notes
    (reject,) = map(json.loads, (tmp_path / "rejects.jsonl").read_text().splitlines())
    assert (reject["path"], reject["reason"]) == ("a/none.dcm", "broken image")
    files = [path for place in ("data", "work") for path in (tmp_path / place).iterdir()]
    assert len(files) > 3
    for path in [*files, tmp_path / "rejects.jsonl"]:
        content = path.read_bytes()
        assert not [secret for secret in SECRETS.values() if secret.encode() in content], path


def test_rejects_are_a_share_of_all_images(folder, tmp_path):
    for at in range(2):
        (folder / "a" / f"broken{at}.dcm").write_bytes(scan(60, Rows=60))
    with pytest.raises(DatasetError, match=r"2 of 20 files of scans are rejected, more than 0\.05 of all"):
        built(folder, tmp_path)
