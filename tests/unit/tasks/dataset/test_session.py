"""What a pointer of DVC's says."""

import pytest

from gan.errors import DatasetError
from tasks.dataset.session import tracked_md5

MD5 = "0123456789abcdef" * 2


def test_the_hash_of_a_folder_is_named_without_its_end(tmp_path):
    (tmp_path / "data.dvc").write_text(f"outs:\n- md5: {MD5}.dir\n  path: data\n")
    assert tracked_md5(tmp_path / "data.dvc") == MD5
    assert tracked_md5(tmp_path / "none.dvc") is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "outs: []", "3", "outs:\n- md5: ../x", "\xff", "outs: [" * 2000, "a: !!python/object:os.system"),
        *(f"outs:\n- md5: {MD5}\n  made: 2001-99-99\n", f"outs:\n- md5: {MD5}\n  size: {'9' * 5000}\n", "{[]: 1}"),
    ],
)
def test_a_pointer_that_makes_no_sense_is_refused(tmp_path, text):
    (tmp_path / "data.dvc").write_bytes(text.encode("latin-1"))
    with pytest.raises(DatasetError, match=r"data\.dvc (is malformed|cannot be read)"):
        tracked_md5(tmp_path / "data.dvc")
