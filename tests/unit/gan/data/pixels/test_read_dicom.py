"""DICOM files as scanners write them: values, windows, frames, packings; and nothing of a person."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import set_pixel_data
from pydicom.uid import (
    MPEG2MPML,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from gan.data.files.blob import UnreadableError
from gan.data.pixels import read_dicom as module
from gan.data.pixels.decode import decode_image, decode_images, only_image
from gan.data.records import Deep

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
NAME = "Doe^Jane^19700101"


def dataset(values, kind="MONOCHROME2", bits=None, syntax=ExplicitVRLittleEndian, **tags):
    """Make a file of `[H, W]`, `[frames, H, W]` or, with colours behind, `[…, 3]` values."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    made.PatientName, made.PatientID, made.InstitutionName = NAME, "secret-id", "secret-clinic"
    set_pixel_data(made, values, kind, bits or values.dtype.itemsize * 8, generate_instance_uid=False)
    for name, value in tags.items():
        setattr(made, name, value)
    if syntax == RLELossless:
        made.compress(RLELossless)
    elif syntax == ExplicitVRBigEndian:
        made.PixelData = values.astype(values.dtype.newbyteorder(">")).tobytes()
    made.file_meta.TransferSyntaxUID = syntax
    return made


def packed(made):
    file = BytesIO()
    pydicom.dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


def decoded(*arguments, **options):
    return only_image(packed(dataset(*arguments, **options)))


def reason(data):
    with pytest.raises(UnreadableError) as caught:
        list(decode_images(data))
    return caught.value.reason


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_values_come_as_they_are(values, dtype, syntax):
    pixels = values(dtype)
    image = decoded(pixels[..., 0], syntax=syntax)
    assert np.array_equal(image.values, pixels)
    assert image.values.dtype == dtype
    assert image.values.dtype.isnative
    assert (image.window, image.inverted) == (None, False)


def test_they_are_rescaled(values):
    pixels = values(np.uint16)[..., 0] // 16
    image = decoded(pixels, bits=12, RescaleSlope=2, RescaleIntercept=-1024)
    assert np.array_equal(image.values[..., 0], pixels.astype(int) * 2 - 1024)
    assert image.values.dtype == np.int32
    image = decoded(pixels, bits=12, RescaleSlope="0.5", RescaleIntercept="0.25")
    assert np.allclose(image.values[..., 0], pixels * 0.5 + 0.25)
    assert image.values.dtype == np.float64


@pytest.mark.parametrize(
    ("tags", "window"),
    [
        ({"WindowCenter": 40, "WindowWidth": 400}, (-160, 239)),
        ({"WindowCenter": [40, 300], "WindowWidth": [400, 1500]}, (-160, 239)),
        ({"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "LINEAR_EXACT"}, (-160, 240)),
        ({"WindowCenter": 40, "WindowWidth": 400, "VOILUTFunction": "SIGMOID"}, (-160, 240)),
        ({"WindowCenter": 5, "WindowWidth": 1}, (4.5, 5.5)),
        ({"WindowCenter": 5}, None),
        ({"WindowCenter": None, "WindowWidth": None}, None),
        ({"WindowCenter": 5, "WindowWidth": -3}, None),
    ],
)
def test_the_window_is_the_file_s_first(values, tags, window):
    assert decoded(values(np.int16)[..., 0], **tags).window == window


def test_a_table_of_values_is_applied_where_there_is_no_window():
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [4, 0, 12], np.array([4095, 10, 20, 30], np.uint16).tobytes()
    image = decoded(np.array([[0, 1], [2, 3]], np.uint16), VOILUTSequence=[table])
    assert image.values.ravel().tolist() == [4095, 10, 20, 30]
    assert image.window == (0, 4095)


def test_low_values_may_be_white(values):
    assert decoded(values(np.uint16)[..., 0], "MONOCHROME1").inverted
    pixels = values(np.uint8)
    assert np.array_equal(decoded(pixels[..., 0], "MONOCHROME1"), 255 - pixels)


def test_8_bits_are_what_they_are_and_fewer_are_spread(values):
    pixels = values(np.uint8)
    assert np.array_equal(decoded(pixels[..., 0]), pixels)
    assert decode_image(packed(dataset(pixels[..., 0] // 128, bits=1))).max() == 255
    assert decoded(pixels[..., 0], WindowCenter=100, WindowWidth=51).window == (74.5, 124.5)


def test_colours(values):
    pixels = values(np.uint8, (6, 8, 3))
    assert np.array_equal(decoded(pixels, "RGB"), pixels)
    assert np.array_equal(decoded(pixels.astype(np.uint16) * 200, "RGB").values, pixels.astype(np.uint16) * 200)
    ybr = np.asarray(Image.fromarray(pixels).convert("YCbCr"))
    assert np.abs(decoded(ybr, "YBR_FULL").astype(int) - pixels).max() <= 3


def test_every_frame_is_an_image(values):
    frames = np.stack([values(np.uint16, seed=seed)[..., 0] for seed in range(3)])
    whole = packed(dataset(frames))
    found = list(decode_images(whole))
    assert np.array_equal(np.stack([image.values[..., 0] for image in found]), frames)
    with pytest.raises(UnreadableError, match="several images"):
        only_image(whole)


def test_each_frame_may_have_its_own_scale_and_window(values):
    frames = np.stack([values(np.uint16, seed=seed)[..., 0] // 16 for seed in range(2)])

    def group(slope, centre):
        scale, window, made = Dataset(), Dataset(), Dataset()
        scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = slope, 0, "US"
        window.WindowCenter, window.WindowWidth = centre, 11
        made.PixelValueTransformationSequence, made.FrameVOILUTSequence = [scale], [window]
        return made

    made = dataset(frames, PerFrameFunctionalGroupsSequence=[group(2, 100), group(3, 200)])
    first, second = decode_images(packed(made))
    assert np.array_equal(first.values[..., 0], frames[0].astype(int) * 2)
    assert np.array_equal(second.values[..., 0], frames[1].astype(int) * 3)
    assert (first.window, second.window) == ((94.5, 104.5), (194.5, 204.5))
    made = dataset(frames, SharedFunctionalGroupsSequence=[group(5, 50)])
    assert [image.window for image in decode_images(packed(made))] == [(44.5, 54.5)] * 2


def test_packed_pixels(values):
    picture = Image.fromarray(np.kron(values(np.uint8), np.ones((8, 8, 1), np.uint8))[..., 0])
    file = BytesIO()
    picture.save(file, "JPEG", quality=95)
    made = dataset(np.asarray(picture))
    made.PixelData = encapsulate([file.getvalue()])
    made["PixelData"].VR = "OB"
    made["PixelData"].is_undefined_length = True
    made.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    assert np.abs(only_image(packed(made))[..., 0].astype(int) - np.asarray(picture)).mean() < 5
    made.file_meta.TransferSyntaxUID = JPEGLSLossless
    with pytest.raises(UnreadableError) as caught:
        only_image(packed(made))
    assert caught.value.reason == "a DICOM file packed in a way that pydicom cannot unpack"
    assert caught.value.detail.startswith("JPEG-LS Lossless Image Compression: install gdcm or pylibjpeg")
    made.file_meta.TransferSyntaxUID = MPEG2MPML
    assert reason(packed(made)) == "a DICOM file packed in a way that pydicom cannot unpack"


def test_a_table_of_colours():
    image = only_image((FILES / "examples_palette.dcm").read_bytes())
    assert image.values.shape == (350, 800, 3)
    assert image.window == (0, 65535)


def test_what_holds_no_pixels_says_so(values):
    made = dataset(values(np.uint16)[..., 0])
    del made.PixelData
    assert reason(packed(made)) == "a DICOM file without pixels"


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"Rows": 65535, "Columns": 65535}, "too large"),
        ({"Rows": 0}, "too large"),
        ({"NumberOfFrames": 10**9}, "too large"),
        ({"NumberOfFrames": -1}, "too large"),
        ({"NumberOfFrames": 2}, "broken image"),
        ({"Rows": 60}, "broken image"),
    ],
)
def test_what_a_file_claims_is_not_believed(values, tags, expected):
    assert reason(packed(dataset(values(np.uint16)[..., 0], **tags))) == expected


def test_what_would_be_unpacked_as_a_whole_is_refused(values):
    made = dataset(values(np.uint16)[..., 0])
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    assert reason(packed(made)) == "a deflated DICOM file"


def test_without_pydicom_the_reason_names_what_to_install(values, monkeypatch):
    whole = packed(dataset(values(np.uint16)[..., 0]))

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(module.importlib, "import_module", missing)
    with pytest.raises(UnreadableError) as caught:
        only_image(whole)
    assert caught.value.reason == "a DICOM file, which needs pydicom"
    assert caught.value.detail == "run `pip install 'ganflow[dicom]'`"


def test_no_tag_of_a_person_is_even_read(values, monkeypatch):
    read = []
    original = pydicom.dcmread
    monkeypatch.setattr(
        pydicom, "dcmread", lambda *given, **options: read.append(original(*given, **options)) or read[-1]
    )
    decoded(values(np.uint16)[..., 0])
    (made,) = read
    assert "PatientName" not in made
    assert "secret" not in str(made)
    assert NAME not in str(made)


@pytest.mark.parametrize("file", sorted(path.name for path in FILES.glob("*.dcm")))
def test_real_files_give_images_or_a_reason_that_says_nothing_of_them(file, capfd, recwarn):
    data = (FILES / file).read_bytes()
    try:
        for image in decode_images(data):
            values = image.values if isinstance(image, Deep) else image
            assert values.ndim == 3
            assert values.shape[2] in (1, 3)
            assert isinstance(image, Deep) or image.dtype == np.uint8
    except UnreadableError as error:
        whole = pydicom.dcmread(BytesIO(data), force=True)
        told = f"{error.reason} {error.detail}"
        assert str(whole.get("PatientName") or "no name") not in told
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_gives_images_or_a_reason_and_no_word_on_any_stream(data, values, capfd):
    whole = bytearray(packed(dataset(values(np.uint16)[..., 0], WindowCenter=5, WindowWidth=9)))
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(132, len(whole) - 1), st.integers(0, 255)), max_size=5)
    ):
        whole[place] = value
    try:
        for image in decode_images(bytes(whole[: data.draw(st.integers(133, len(whole)))])):
            assert isinstance(image, Deep) or image.dtype == np.uint8
    except UnreadableError:
        pass
    assert capfd.readouterr() == ("", "")
