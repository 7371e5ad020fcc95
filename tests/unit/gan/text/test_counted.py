import pytest

from gan.text.counted import counted


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (0, ("file",), "0 files"),
        (1, ("file",), "1 file"),
        (2000, ("file",), "2,000 files"),
        (1, ("class", "classes"), "1 class"),
        (2, ("pair is", "pairs are"), "2 pairs are"),
    ],
)
def test_one_is_no_plural(count, words, said):
    assert counted(count, *words) == said
