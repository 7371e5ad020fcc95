"""The ONNX file beside a registered program: there where it can be made and is right, else a sentence."""

import errno
import os
import sys

import pytest
import torch

from gan.errors import ResourcesError
from tasks.tracking.logged_model import save_onnx


class Double(torch.nn.Module):
    """The smallest program of the registered shape, but for its images of one pixel."""

    def forward(self, asked):
        return (asked[:, :1] * 2).remainder(256).to(torch.uint8)[:, :, None, None]


@pytest.fixture(scope="module")
def program():
    batch = torch.export.Dim("batch", min=1)
    return torch.export.export(Double(), (torch.zeros(2, 2, dtype=torch.int64),), dynamic_shapes=({0: batch},))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def test_a_file_that_is_right_needs_no_word(program, path):
    assert save_onnx(program, path, 3) == ""
    assert path.stat().st_size


@pytest.mark.parametrize(("apart", "stays"), [(1, True), (2, False)])
def test_a_file_with_other_images_does_not_stay(program, path, monkeypatch, apart, stays):
    monkeypatch.setattr("tasks.tracking.logged_model.onnx_difference", lambda *arguments: apart)
    remark = save_onnx(program, path, 3)
    assert path.exists() == stays
    assert ("2 grey levels" in remark) == (not stays)


def test_without_the_exporter_there_is_no_file(program, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert "there is no model.onnx beside the program (" in (remark := save_onnx(program, path, 3))
    assert "onnxscript" in remark
    assert "install it before the next registration" in remark
    assert not path.exists()


def test_without_onnx_runtime_the_file_is_not_compared(program, path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    remark = save_onnx(program, path, 3)
    assert remark.startswith("model.onnx was not compared")
    assert "onnxruntime" in remark
    assert path.exists()


def test_a_graph_that_onnx_cannot_say_is_a_sentence(path):
    class Bits(torch.nn.Module):
        def forward(self, asked):
            return asked.double().view(torch.int64)

    program = torch.export.export(Bits(), (torch.zeros(2, 2, dtype=torch.int64),))
    remark = save_onnx(program, path, 0)
    assert remark.startswith("there is no model.onnx beside the program (")
    assert "aten.view" in remark
    assert not path.exists()


def test_a_full_disk_is_said_as_such(program, path, monkeypatch):
    def full(program, path):
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr("tasks.tracking.logged_model.write_onnx", full)
    with pytest.raises(ResourcesError, match="is full"):
        save_onnx(program, path, 0)
    assert not path.exists()
