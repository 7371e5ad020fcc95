"""What is kept is made once, and is there whole or not at all."""

import numpy as np
import pytest
from quality.kept import kept, kept_array, read_json, write_whole


def test_a_record_is_made_once(tmp_path):
    path = tmp_path / "folder" / "record.json"
    assert kept(path, lambda: {"a": 1}) == {"a": 1}
    assert kept(path, lambda: {"a": 2}) == {"a": 1}
    assert read_json(tmp_path / "other.json") is None


def test_an_array_is_made_once(tmp_path):
    path = tmp_path / "array.npy"
    np.testing.assert_array_equal(kept_array(path, lambda: np.arange(3)), [0, 1, 2])
    np.testing.assert_array_equal(kept_array(path, lambda: np.zeros(3)), [0, 1, 2])


def test_a_kill_while_writing_leaves_nothing(tmp_path):
    def write(partial):
        partial.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "record.json", write)
    assert list(tmp_path.iterdir()) == []
