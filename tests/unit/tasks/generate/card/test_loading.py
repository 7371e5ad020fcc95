"""How a card says that a release's files are read, by their format."""

from pathlib import PurePath

import pytest

from tasks.generate.card.loading import (
    IMAGEFOLDER,
    NPZ,
    PARQUET,
    WEBDATASET,
    configurations,
    format_of,
    loading_section,
)


def of(format):
    return {"generation": {"num_images": 1} | ({"format": format} if format else {})}


@pytest.mark.parametrize(
    ("format", "file"),
    [
        (None, "train-00000-of-00001.parquet"),
        (PARQUET, "train-00003-of-00010.parquet"),
        (WEBDATASET, "train-00000-of-00001.tar"),
        (IMAGEFOLDER, "train/cat/1.png"),
        (NPZ, None),
    ],
)
def test_each_format_has_its_own_code_and_is_found_on_hugging_face_if_that_reads_it(format, file):
    section = loading_section(of(format))
    compile(section.split("```python\n")[1].split("```")[0], "card", "exec")
    assert format_of(of(format)) == (format or PARQUET)
    found = configurations(of(format))
    if file is None:
        assert found == []
    else:
        ((split,),) = (each["data_files"] for each in found)
        pattern = split["path"].replace("/**", "/*/*")
        assert PurePath(file).match(pattern)


def test_an_unknown_format_is_left_to_the_manifest():
    assert "`manifest.json` names the files" in loading_section(of("tfrecord"))
    assert configurations(of("tfrecord")) == []
