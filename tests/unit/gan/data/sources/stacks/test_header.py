"""Headers of `.npy` files, true and hostile."""

import io
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.sources.stacks.header import HEADER_BYTES, Header, read_header

ARRAYS = [
    np.zeros((3, 4, 5), np.uint8),
    np.zeros((2, 3, 3), ">u2"),
    np.asfortranarray(np.zeros((2, 3, 3), np.float32)),
    np.zeros((2, 0)),
    np.array(["a", "bcd"]),
    np.array([b"a", b"bcd"]),
    np.array([True, False]),
    np.array(5),
]


def saved(array, **options):
    out = io.BytesIO()
    np.save(out, array, **options)
    return out.getvalue()


def header_of(text, version=1):
    text = text.encode("latin1")
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text


def read(data):
    return read_header(data[:HEADER_BYTES], len(data))


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_what_numpy_saves_is_read(array):
    data = saved(array)
    header = read(data)
    assert (header.dtype, header.shape) == (array.dtype, array.shape)
    assert header.fortran == (not array.flags.c_contiguous)
    values = np.frombuffer(data, header.dtype, offset=header.begin).reshape(
        header.shape, order="FC"[not header.fortran]
    )
    assert np.array_equal(values, array)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([{}, 1], object), "an array of Python objects, which are pickled and never read"),
        (np.zeros(2, [("a", "u1"), ("b", object)]), "Python objects"),
        (np.zeros(2, [("a", "u1")]), "neither numbers nor short texts"),
        (np.zeros(2, complex), "an array of complex128, neither"),
        (np.zeros(2, "M8[s]"), "neither numbers"),
        (np.zeros(2, np.longdouble), "neither numbers"),
        (np.array(["x" * 2000]), "neither numbers nor short texts"),
    ],
)
def test_values_that_are_no_numbers_or_texts_are_refused(array, words):
    with pytest.raises(ValueError, match=words):
        read(saved(array, allow_pickle=True))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMP",
        b"\x93NUMPY",
        b"PK\x03\x04" * 100,
        pickle.dumps(np.zeros(3)),
        saved(np.zeros(5))[:-1],
        saved(np.zeros(5)) + b"x",
        header_of("{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999, 9999999999), }"),
        header_of("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }"),
        header_of("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, -5), }") + bytes(5),
        header_of("{'descr': '|S0', 'fortran_order': False, 'shape': (9999999999,), }"),
        header_of("{'descr': '|V99999999', 'fortran_order': False, 'shape': (1,), }"),
        header_of("{'descr': '|u1', 'fortran_order': False, 'shape': (True,), }") + b"x" * 3,
        header_of("(" * 9000),
        header_of("{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': (1,), }"),
        b"\x93NUMPY\x02\0\xff\xff\xff\xff" + b"{" * 500,
        b"\x93NUMPY\x03\0\x10\0\0\0" + b"{}" + b" " * 14,
        b"\x93NUMPY\x09\x09" + bytes(500),
    ],
)
def test_headers_that_lie_are_refused_without_memory_for_what_they_say(data):
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"NumPy array|bytes, where its header|neither numbers"):
        read(data)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**22


KEYS = st.sampled_from(["descr", "fortran_order", "shape"])
THINGS = st.one_of(
    st.sampled_from(["|u1", "<f8", "|O", "<U5", "|V8", "<M8[D]", [("a", "|O")], [], "", "O" * 50]),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.lists(st.integers(-3, 2**65), max_size=5).map(tuple),
    st.none(),
)


@settings(max_examples=300, deadline=None)
@given(found=st.dictionaries(KEYS, THINGS), more=st.binary(max_size=40), version=st.sampled_from([1, 2]))
def test_any_dictionary_is_a_header_that_is_true_or_refused(found, more, version):
    data = header_of(repr(found), version) + more
    try:
        header = read(data)
    except ValueError:
        return
    assert isinstance(header, Header)
    assert np.frombuffer(data, header.dtype, offset=header.begin).size == np.prod(header.shape)


@settings(max_examples=200, deadline=None)
@given(places=st.lists(st.tuples(st.integers(0, 140), st.integers(0, 255)), max_size=6))
def test_damaged_headers_are_headers_or_refused(places):
    data = bytearray(saved(ARRAYS[0]))
    for place, value in places:
        data[place % len(data)] = value
    try:
        header = read(bytes(data))
    except ValueError:
        return
    assert header.begin + np.prod(header.shape) * header.dtype.itemsize == len(data)
