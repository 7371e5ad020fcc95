"""`ganflow ingest --dry-run`."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from flows.command import entry
from flows.command.ingest_preview import preview_lines
from gan.data.building.file_counts import FileCounts
from gan.data.building.preview import Preview
from gan.errors import InputError


def test_it_says_what_it_would_find_and_leaves_no_trace(tmp_path, monkeypatch, capfd):
    for number, name in enumerate(("cat/a", "cat/b", "dog/c", "dog/d")):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (20, 40), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "set" / f"{name}.png")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(entry.app, ["ingest", "set", "--dry-run", "--json"])
    assert result.exit_code == 0, result.exception
    found = json.loads(capfd.readouterr().out)
    assert found["counts"] == {"all": {"cat": 2, "dog": 2}}
    assert (found["files"]["files"], found["resolution"]) == (4, 16)
    assert not [path for path in (tmp_path / "home").rglob("*") if path.is_file()]


def test_a_page_is_written_where_one_is_asked_for_and_nowhere_else(tmp_path, monkeypatch, capfd):
    for name in ("cat/a", "dog/b"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.eye(40, dtype=np.uint8) * 200).save(tmp_path / "set" / f"{name}.png")
    monkeypatch.setenv("GANFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(entry.app, ["ingest", "set", "--dry-run", "--report", "look.html"])
    assert result.exit_code == 0, result.exception
    assert capfd.readouterr().out.endswith(f"          report {tmp_path / 'look.html'}\n")
    assert (tmp_path / "look.html").read_text().count("<img") == 2
    assert not (tmp_path / "home").exists()
    for arguments, sentence in (
        (["--dry-run", "--report", "no/look.html"], "no/look.html cannot be written"),
        (["--report", "look.html"], "--report is for --dry-run"),
    ):
        error = CliRunner().invoke(entry.app, ["ingest", "set", *arguments]).exception
        assert isinstance(error, InputError)
        assert sentence in str(error)


@pytest.mark.parametrize("count", [3, 30])
def test_many_classes_are_counted_and_the_first_are_named(count):
    found = Preview(
        name="set", kind="folder", records=count, counts={"train": {f"c{index}": 1 for index in range(count)}},
        rejects={"empty file": 2}, files=FileCounts(50, count, {"documents": 1}, 2), sampled=9, classes=count,
        unreadable={"truncated image": 1}, sides=(1, 2, 3), values={"16-bit images": (0, 4095)}, resolution=8,
        notes=("a note",), asked={},
    )  # fmt: skip
    lines = list(preview_lines(found))
    assert lines[1].startswith(f"          train: {count} images: c0 1, c1 1, c2 1")
    assert lines[1].endswith(" and 10 more classes") == (count == 30)
    assert lines[2:] == [
        f"          50 files: {count} images, 1 companion (1 document), 2 rejected",
        "          2 rejected: empty file",
        "          a note",
        "          of 9 that were looked at 1 rejected: truncated image",
        "          shorter sides of 9: 1 to 3 pixels, median 2",
        "          values of 16-bit images: 0 to 4095",
        "          --set data.resolution=8 would fit them; the dataset is as it was",
    ]
