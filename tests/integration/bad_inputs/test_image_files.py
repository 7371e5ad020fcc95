"""Image files that are damaged, hostile or odd, each in a folder among good ones."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.integration

FORMATS = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP", "tif": "TIFF", "bmp": "BMP", "gif": "GIF"}
BROKEN = {"truncated image", "broken image", "not an image"}


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, *, before=b"", after=b"", colour=2, data=None):
    """A PNG of zeros written by hand, with chunks before and after its pixels."""
    rows = bytes((1 + width * (3 if colour == 2 else 1)) * height) if data is None else data
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + before + chunk(b"IDAT", zlib.compress(rows)) + after
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def among_good(zoo, files, **changes):
    """Ingest a folder with these files in a class of the good ones; the good must all be there."""
    root = zoo.folder({f"cat/{name}": data for name, data in files.items()})
    outcome = zoo.ingest(root, **changes)
    assert outcome.has(zoo.good)
    assert outcome.info.class_names == ("cat", "dog")
    return outcome


def rejected(zoo, files, **changes):
    """Ingest such a folder; return the reasons why these files are no images, by name."""
    outcome = among_good(zoo, files, **changes)
    assert outcome.info.num_train + outcome.info.num_test == len(zoo.good) + len(files) - len(outcome.rejects)
    return {path.removeprefix("cat/"): reason for path, reason in outcome.rejects.items()}


@pytest.mark.parametrize("suffix", FORMATS)
def test_files_cut_short_anywhere(zoo, suffix):
    whole = zoo.encode(zoo.pixels(0, 32, 32), FORMATS[suffix])
    cuts = {"1": 1, "header": 20, "middle": len(whole) // 2, "late": len(whole) * 9 // 10}
    files = {f"{name}.{suffix}": whole[:at] for name, at in cuts.items()}
    reasons = rejected(zoo, files | {f"whole.{suffix}": whole})
    assert set(reasons) == set(files)
    assert set(reasons.values()) <= BROKEN


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_last_bytes_missing_is_an_image_or_a_reject_but_no_crash(zoo, suffix):
    whole = zoo.encode(zoo.pixels(0, 32, 32), FORMATS[suffix])
    reasons = rejected(zoo, {f"less{count}.{suffix}": whole[:-count] for count in (1, 2, 5, 13)})
    assert set(reasons.values()) <= BROKEN | {"duplicate"}  # what is missing may be an end mark alone


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_zeros_and_noise_by_the_name_of_an_image(zoo, suffix):
    noise = np.random.default_rng(5).bytes(3000)
    signature = zoo.encode(zoo.pixels(0), FORMATS[suffix])[:12]
    files = {"none": b"", "zeros": bytes(3000), "noise": noise, "signed": signature + noise, "text": b"no image\n" * 9}
    reasons = rejected(zoo, {f"{name}.{suffix}": data for name, data in files.items()})
    assert reasons.pop(f"none.{suffix}") == "empty file"
    assert reasons.pop(f"signed.{suffix}") in BROKEN
    assert reasons == {f"{name}.{suffix}": "not an image" for name in ("zeros", "noise", "text")}


def test_a_wrong_suffix_does_no_harm(zoo):
    images = [zoo.pixels(index) for index in range(2)]
    outcome = among_good(zoo, {"a.jpg": zoo.encode(images[0]), "b.gif": zoo.encode(images[1], "BMP")})
    assert outcome.rejects == {}
    assert outcome.has(images)


def test_formats_that_nobody_asked_for_stay_closed(zoo):
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"
    files = {"a.png": postscript, "b.png": zoo.encode(zoo.pixels(0), "TGA"), "c.jpg": zoo.encode(zoo.pixels(0), "ICO")}
    assert rejected(zoo, files) == dict.fromkeys(files, "not an image")


def test_pixel_bombs(zoo):
    giant = np.zeros((10_000, 10_000), np.uint8)
    files = {
        "claims.png": png(50_000, 50_000, data=b""),
        "most.png": png(2**31 - 1, 2**31 - 1, data=b""),
        "real.png": zoo.encode(giant, compress_level=1),
        "none.png": png(0, 0, data=b""),
        "claims.bmp": struct.pack("<2s3I3i2H6I", b"BM", 99, 0, 54, 40, 50_000, 50_000, 1, 24, *[0] * 6),
        "claims.gif": b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + b"\0\0\0;",
    }
    reasons = rejected(zoo, files)
    assert set(reasons) == set(files)
    assert {reasons[name] for name in ("claims.png", "most.png", "real.png", "claims.bmp")} == {"too large"}
    assert {reasons["none.png"], reasons["claims.gif"]} <= BROKEN | {"too large"}


def test_text_bombs_in_a_png(zoo):
    packed = zlib.compress(bytes(2**26), 9)
    texts = {
        "ztxt": chunk(b"zTXt", b"k\0\0" + packed),
        "itxt": chunk(b"iTXt", b"k\0\1\0\0\0" + packed),
        "iccp": chunk(b"iCCP", b"k\0\0" + packed),
    }
    pixels = {name: zoo.pixels(index) for index, name in enumerate(texts)}
    rows = {name: b"".join(b"\0" + row.tobytes() for row in image) for name, image in pixels.items()}
    before = {f"{name}-before.png": png(8, 8, before=text, data=rows[name]) for name, text in texts.items()}
    after = {f"{name}-after.png": png(8, 8, after=text, data=rows[name]) for name, text in texts.items()}
    outcome = among_good(zoo, before | after)
    reasons = {path.removeprefix("cat/"): reason for path, reason in outcome.rejects.items()}
    # What stands behind the pixels is never unpacked, what stands before them up to a limit.
    assert set(reasons) <= set(before) | set(after)
    assert set(reasons.values()) <= {"broken image", "duplicate"}
    assert all(reasons.get(f"{name}-before.png") == "broken image" or outcome.has([pixels[name]]) for name in texts)


def test_sizes_and_shapes_beyond_use(zoo):
    files = {
        "dot.png": zoo.encode(zoo.pixels(0, 1, 1)),
        "line.png": zoo.encode(zoo.pixels(1, 1, 20_000)),
        "plank.png": zoo.encode(zoo.pixels(2, 8, 100)),
        "tall.png": zoo.encode(zoo.pixels(3, 100, 8)),
    }
    outcome = among_good(zoo, files)
    assert outcome.rejects == {
        "cat/dot.png": "too small",
        "cat/line.png": "too small",
        "cat/plank.png": "too long and thin",
        "cat/tall.png": "too long and thin",
    }
    assert outcome.details["cat/plank.png"] == "100x8 pixels"


def test_a_line_of_20_000_pixels_is_long_and_thin_where_one_pixel_is_enough(zoo):
    files = {"dot.png": zoo.encode(zoo.pixels(0, 1, 1)), "line.png": zoo.encode(zoo.pixels(1, 1, 20_000))}
    assert rejected(zoo, files, min_side=1) == {"dot.png": "blank", "line.png": "too long and thin"}


def test_blank_images_of_every_size_and_sort(zoo):
    files = {
        "grey.png": zoo.encode(np.full((8, 8), 7, np.uint8)),
        "colour.png": zoo.encode(np.full((30, 20, 3), (1, 2, 3), np.uint8)),
        "clear.png": zoo.encode(np.zeros((8, 8, 4), np.uint8)),
    }
    assert rejected(zoo, files) == dict.fromkeys(files, "blank")


def test_floats_and_large_whole_numbers_are_shown_by_the_range_of_all_of_them(zoo):
    eight = zoo.pixels(0, channels=None)
    eight[0, :2] = 0, 255
    half = (eight // 2).astype(np.float32)
    holes = np.where(half == half[3, 3], np.nan, half)
    files = {
        "float.tif": zoo.encode(eight.astype(np.float32), "TIFF"),
        "half.tif": zoo.encode(half, "TIFF"),
        "holes.tif": zoo.encode(holes, "TIFF"),
        "nothing.tif": zoo.encode(np.full((8, 8), np.nan, np.float32), "TIFF"),
        "large.tif": zoo.encode(255 * 10**6 - eight.astype(np.int32) * 10**6, "TIFF"),
        "negative.tif": zoo.encode(-(eight.astype(np.int32) // 3) * 10**6, "TIFF"),
    }
    outcome = among_good(zoo, files)
    assert outcome.rejects == {"cat/nothing.tif": "no value is a number"}
    lowest = -(255 // 3)
    signed = [
        np.rint((values - lowest) / (255 - lowest) * 255) for values in (255 - eight.astype(int), -(eight // 3.0))
    ]
    grey = [eight, half, np.nan_to_num(holes), *signed]
    assert outcome.has([values.astype(np.uint8)[..., np.newaxis].repeat(3, axis=2) for values in grey])
    assert outcome.info.windows == {"float": (0, 255), "signed": (lowest * 10**6, 255 * 10**6)}


def test_sixteen_bits_become_eight(zoo):
    eight = zoo.pixels(0, channels=None)
    eight[0, 0] = 255
    outcome = among_good(zoo, {"deep.png": zoo.encode(eight.astype(np.uint16) * 257)})
    assert outcome.rejects == {}
    assert outcome.has([eight[..., np.newaxis].repeat(3, axis=2)])


def test_an_animation_gives_its_first_frame(zoo):
    frames = [Image.fromarray(zoo.pixels(index, channels=None)) for index in range(3)]
    root = zoo.folder()
    frames[0].save(root / "cat" / "moves.gif", save_all=True, append_images=frames[1:])
    frames[0].save(root / "dog" / "moves.webp", save_all=True, append_images=frames[1:], lossless=True)
    frames[0].save(root / "dog" / "pages.tif", save_all=True, append_images=frames[1:])
    outcome = zoo.ingest(root)
    first = np.asarray(frames[0])[..., np.newaxis].repeat(3, axis=2)
    assert outcome.has([*zoo.good, first])
    # All three hold the same first frame, so two are copies of the third and no other frame is there.
    assert sorted(outcome.rejects.values()) == ["duplicate with another label", "duplicate with another label"]
    assert outcome.info.num_train + outcome.info.num_test == len(zoo.good) + 1


def test_cmyk_and_rotated_photographs(zoo):
    root = zoo.folder()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(zoo.pixels(0)).convert("CMYK").save(root / "cat" / "print.jpg")
    phones = {name: zoo.pixels(seed) for seed, name in enumerate(("jpg", "webp", "png", "tif"), start=1)}
    for suffix, pixels in phones.items():
        Image.fromarray(pixels).save(root / "dog" / f"phone.{suffix}", exif=exif)
    outcome = zoo.ingest(root)
    assert outcome.rejects == {}
    assert outcome.has(zoo.good)
    assert outcome.has([np.asarray(Image.open(root / "cat" / "print.jpg").convert("RGB"))])
    for suffix in ("jpg", "webp"):
        phones[suffix] = np.asarray(Image.open(root / "dog" / f"phone.{suffix}"))  # as it lies there, with its losses
    assert outcome.has([np.rot90(pixels, -1) for pixels in phones.values()])


def test_transparency_shows_the_background(zoo):
    colour = zoo.pixels(0, channels=None) // 2
    palette = Image.fromarray(colour, "P")
    palette.putpalette([value for index in range(256) for value in (index, 255 - index, 7)])
    root = zoo.folder()
    clear = int(colour[0, 0])
    palette.save(root / "cat" / "palette.png", transparency=clear)
    outcome = zoo.ingest(root)
    wanted = np.stack([colour, 255 - colour, np.full_like(colour, 7)], axis=2)
    wanted[colour == clear] = 255
    assert outcome.rejects == {}
    assert outcome.has([*zoo.good, wanted])


def test_too_many_rejects_are_refused_in_one_sentence_with_the_list_left_behind(zoo):
    root = zoo.folder({"cat/broken1.png": b"x", "cat/broken2.png": b"x", "dog/none.png": b""})
    message = zoo.refuse(root, max_reject_share=0.05)
    assert message.startswith("3 of 27 files of set are rejected, more than 0.05 of all (2 not an image, 1 empty file)")
    assert "quarantine.jsonl" in message
    lines = (zoo.made / "one" / "quarantine.jsonl").read_text().splitlines()
    assert [line.split('"')[3] for line in lines] == ["cat/broken1.png", "cat/broken2.png", "dog/none.png"]
