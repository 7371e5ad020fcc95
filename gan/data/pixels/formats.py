"""Image formats: by the endings of names, by first bytes, and which of them need a package beside Pillow."""

import importlib
import importlib.util
from functools import cache

_ENDINGS = "png jpg jpeg jpe jfif webp bmp tif tiff gif ppm pgm pbm pnm avif jp2 j2k heic heif jxl dcm"
SUFFIXES = frozenset(f".{ending}" for ending in _ENDINGS.split(" "))
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM", "AVIF", "JPEG2000")
HEAD_BYTES = 132  # a DICOM file says what it is behind 128 bytes of anything

# Format to Pillow's name for it, the package that reads it, and how that is told to.
_PLUGINS = {
    "HEIC": ("HEIF", "pillow-heif", "pillow_heif", "register_heif_opener"),
    "JPEG XL": ("JXL", "pillow-jxl-plugin", "pillow_jxl", ""),
}
# The last ones unpack DICOM files for pydicom.
_MODULES = ("pillow_heif", "pillow_jxl", "pydicom", "pylibjpeg", "libjpeg", "openjpeg", "jpeg_ls", "gdcm")
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
)
_BRANDS = dict.fromkeys((b"avif", b"avis"), "AVIF") | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIC"
)


def format_of(head: bytes) -> str:
    """Return the format of an image file that begins with these `HEAD_BYTES`, or nothing where it is none."""
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[:2] == b"BM" and head[6:10] == bytes(4):  # two letters alone may begin any text
        return "BMP"
    if head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace() and head[3:4] in b"#0123456789":
        return "PPM"
    if head[128:132] == b"DICM":
        return "DICOM"
    return next((name for signature, name in _SIGNATURES if head.startswith(signature)), "")


def plugged_in(data: bytes) -> tuple[str, ...]:
    """Return what Pillow calls the format of a file that a package reads for it, where that is installed."""
    name, _, module, register = _PLUGINS.get(format_of(data[:HEAD_BYTES]), ("", "", "", ""))
    return (name,) if module and _load(module, register) else ()


def missing_package(data: bytes) -> str:
    """Say which package would read a file that Pillow alone does not; nothing where there is none."""
    found = format_of(data[:HEAD_BYTES])
    name, package, module, register = _PLUGINS.get(found, ("", "", "", ""))
    return f"{found} needs the package {package}" if name and not _load(module, register) else ""


@cache
def installed() -> tuple[str, ...]:
    """Return the packages that are there and read what Pillow alone does not: with another one, rejects may be none."""
    return tuple(name for name in _MODULES if importlib.util.find_spec(name) is not None)


@cache
def _load(module: str, register: str) -> bool:
    try:
        found = importlib.import_module(module)
    except ImportError:
        return False
    if register:
        getattr(found, register)()
    return True
