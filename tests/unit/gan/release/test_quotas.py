"""Quotas: every sum is exact, and a file that is wrong is explained by its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan.errors import ReleaseError
from gan.release.quotas import equal_quotas, filling_quotas, quotas_by_name, read_quotas, real_quotas

NAMES = ("cat", "dog", "a, b")


@given(st.integers(1, 10**9), st.integers(1, 2000))
def test_equal_quotas_differ_by_one_at_most(total, classes):
    quotas = equal_quotas(total, classes)
    assert (len(quotas), sum(quotas)) == (classes, total)
    assert max(quotas) - min(quotas) <= 1
    assert quotas == sorted(quotas, reverse=True)


@given(st.integers(1, 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=50).filter(any))
def test_real_quotas_are_the_proportions_to_less_than_an_image(total, counts):
    quotas = real_quotas(total, counts)
    assert sum(quotas) == total
    for quota, count in zip(quotas, counts, strict=True):
        assert abs(quota * sum(counts) - total * count) < sum(counts)


@given(st.integers(1, 10**6), st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_a_dataset_s_own_size_gives_its_own_counts(times, counts):
    assert real_quotas(times * sum(counts), counts) == [times * count for count in counts]


def test_of_equal_remainders_the_first_wins():
    assert real_quotas(5, [1, 1, 1]) == [2, 2, 1]
    assert real_quotas(4, [3, 0, 3]) == [2, 0, 2]


@given(st.integers(1, 10**6), st.lists(st.integers(0, 10**6), min_size=1))
def test_filling_brings_every_class_up_and_takes_from_none(fill, counts):
    quotas = filling_quotas(fill, counts)
    assert [max(count, fill) for count in counts] == [
        count + quota for count, quota in zip(counts, quotas, strict=True)
    ]
    assert min(quotas) >= 0


def test_classes_that_are_not_named_get_none():
    assert quotas_by_name({"dog": 3}, NAMES) == [0, 3, 0]
    with pytest.raises(ReleaseError, match=r"release\.quotas names «cow», which the model does not know: its classes"):
        quotas_by_name({"cow": 3}, NAMES)


@given(
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10**12 - 1), min_size=1).filter(lambda q: any(q.values()))
)
def test_a_file_says_its_quotas(tmp_path_factory, quotas):
    path = tmp_path_factory.mktemp("quotas") / "quotas.csv"
    lines = (f'"{name}",{count}' for name, count in quotas.items())
    path.write_text("\ufeffclass,count\n\n" + "\n".join(lines) + "\n", "utf-8")
    assert read_quotas(path, NAMES) == quotas


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"quotas\.csv asks for no image: give the lines"),
        ("class,count\n", "asks for no image"),
        ("class,count\ncat,0\n", "asks for no image"),
        ("cat,3\n", "line 1: cat,3 stands where class,count should"),
        ("class,count\ncat,3\ncow,1\n", "line 3 names «cow», which the model does not know: its classes are cat, dog"),
        ("class,count\ncat,3\n\ncat,1\n", "line 4 names «cat» a second time"),
        ("class,count\ncat,-3\n", "line 2: «-3» is no number of images"),
        ("class,count\ncat,3.5\n", "line 2: «3.5» is no number of images"),
        ("class,count\ncat,\n", "line 2: «» is no number of images"),
        ("class,count\ncat,٣\n", "line 2: «٣» is no number"),
        ("class,count\ncat," + "9" * 5000 + "\n", "is no number of images"),
        ("class,count\ncat\n", "line 2 has 1 columns, not 2"),
        ("class,count\na, b,3\n", "line 2 has 3 columns, not 2"),
        ('class,count\n"cat,3\n', "is no CSV"),
        ("class,count\ncat\0,3\n", "quotas"),
    ],
)
def test_a_bad_file_is_one_sentence(tmp_path, text, sentence):
    path = tmp_path / "quotas.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ReleaseError, match=sentence) as caught:
        read_quotas(path, NAMES)
    assert "\n" not in str(caught.value)


def test_so_is_one_that_cannot_be_read(tmp_path):
    (tmp_path / "latin.csv").write_bytes("class,count\né,3\n".encode("latin-1"))
    (tmp_path / "large.csv").write_bytes(b"class,count\n" + bytes(2**24))
    for name, words in (("nowhere.csv", "No such file"), ("latin.csv", "no text in UTF-8"), ("large.csv", "too large")):
        with pytest.raises(ReleaseError, match=words):
            read_quotas(tmp_path / name, NAMES)


def test_a_model_without_classes_says_so(tmp_path):
    (tmp_path / "quotas.csv").write_text("class,count\ncat,3\n")
    with pytest.raises(ReleaseError, match="it has no classes"):
        read_quotas(tmp_path / "quotas.csv", ())
