"""Methods of zips, undone a block at a time."""

import bz2
import random
import struct
import subprocess
import sys
import zlib

import inflate64
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data.files import packing
from gan.data.files.packing import BROKEN, BZIP2, DEFLATE, DEFLATE64, LZMA, STORED, reads, unpacked

DATA = random.Random(3).randbytes(70_000) + bytes(200_000)


def deflated64(data):
    packer = inflate64.Deflater()
    return packer.deflate(data) + packer.flush()


def lzmaed(data):
    import zipfile

    packer = zipfile.LZMACompressor()
    return packer.compress(data) + packer.flush()


PACKERS = {
    DEFLATE: lambda data: zlib.compress(data, wbits=-15),
    DEFLATE64: deflated64,
    BZIP2: bz2.compress,
    LZMA: lzmaed,
}


@pytest.mark.parametrize("method", PACKERS)
@pytest.mark.parametrize("step", [1000, 10**7])
def test_what_is_packed_is_unpacked_wherever_it_is_cut(method, step):
    packed = PACKERS[method](DATA)
    blocks = [packed[at : at + step] for at in range(0, len(packed), step)]
    assert b"".join(unpacked(blocks, method, len(DATA))) == DATA


@pytest.mark.parametrize("method", PACKERS)
def test_a_bomb_comes_in_blocks(method):
    size = 2**26
    sizes = [len(block) for block in unpacked([PACKERS[method](bytes(size))], method, size)]
    assert sum(sizes) == size
    assert max(sizes) <= 2**23


@pytest.mark.parametrize("method", PACKERS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 3000), places=st.lists(st.integers(0, 3000), max_size=4))
def test_damage_is_bytes_or_an_error_of_the_list(method, seed, cut, places):
    packed = bytearray(PACKERS[method](DATA[68_000:90_000]))
    for place in places:
        packed[place % len(packed)] ^= random.Random(seed).randrange(1, 256)
    try:
        found = sum(map(len, unpacked([bytes(packed[: len(packed) - cut])], method, 22_000)))
    except BROKEN:
        return
    assert found < 2**24


def test_a_dictionary_larger_than_any_is_refused_before_there_is_memory_for_it():
    packed = bytearray(lzmaed(b"x"))
    packed[5:9] = struct.pack("<I", 2**32 - 1)
    with pytest.raises(BROKEN):
        list(unpacked([bytes(packed)], LZMA, 1))


def test_methods_that_are_known():
    assert {method for method in range(100) if reads(method)} == {STORED, DEFLATE, DEFLATE64, BZIP2, LZMA}


def test_deflate64_needs_its_package():
    code = (
        f"import sys; sys.modules['inflate64'] = None; from {packing.__name__} import reads; print(reads(9), reads(8))"
    )
    with_none = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert with_none.stdout.split() == ["False", "True"], with_none.stderr
