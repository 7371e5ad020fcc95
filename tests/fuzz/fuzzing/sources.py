"""Good sources of images of every sort that ganflow reads, and the reading of them whole."""

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import tempfile
import zipfile
from pathlib import Path

import lmdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import set_pixel_data
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from gan.configuration.config import DataConfig
from gan.data.building.build import build_dataset
from gan.data.sources.detect import open_source
from gan.data.sources.spec import SourceSpec
from gan.data.store.shards import split_rows, write_shards
from gan.errors import GanflowError

COUNT, SIDE = 12, 8
CONFIG = DataConfig(resolution=SIDE, holdout_fraction=0.5, max_reject_share=1.0, min_class_images=1)
PIXELS = np.random.default_rng(11).integers(0, 256, (COUNT, SIDE, SIDE, 3), np.uint8)


def picture(pixels, format="PNG", mode=None, **options):
    out = io.BytesIO()
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(out, format, **options)
    return out.getvalue()


def scan(values, **tags):
    """A DICOM file of one frame, or of several."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    set_pixel_data(made, values, "MONOCHROME2", 16, generate_instance_uid=False)
    for name, value in {"RescaleSlope": 2, "RescaleIntercept": -1024, **tags}.items():
        setattr(made, name, value)
    out = io.BytesIO()
    pydicom.dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()


def files():
    """Twelve images of two classes by their path."""
    return {f"{'cat' if index % 2 else 'dog'}/{index:02d}.png": picture(image) for index, image in enumerate(PIXELS)}


def place(root, contents):
    """Write files by their path below a folder."""
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def ingested(top, name, data, beside=None):
    """Ingest a folder with some bytes in it, or the file that they make; return how many records it had.

    Raises:
        GanflowError: it is refused.
    """
    root = top / "set"
    root.mkdir()
    place(root, {**(beside or {}), name: data})
    work, out = top / "work", top / "data"
    try:
        source = open_source(SourceSpec(str(root if beside else root / name)), work / "scratch")
        build_dataset(source, CONFIG, out, work=work / "parts", quarantine=work / "quarantine.jsonl")
    finally:
        assert {path.name for path in top.iterdir()} <= {"set", "work", "data"}
    kept = split_rows(out, "train") + split_rows(out, "test")
    rejected = len((work / "quarantine.jsonl").read_text("utf-8").splitlines())
    assert kept + rejected == len(source), "an image was lost"
    return len(source)


def built(name, data, beside=None):
    """As `ingested`, in a folder of its own; None where it is refused with a sentence."""
    with tempfile.TemporaryDirectory() as top:
        try:
            return ingested(Path(top), name, data, beside)
        except GanflowError as error:
            sentence = str(error)
    assert sentence.isprintable()
    return None


def zipped(contents=None, compression=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in (contents or files()).items():
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return out.getvalue()


def tarred(format=tarfile.PAX_FORMAT, contents=None):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, data in (contents or files()).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.pax_headers = {"comment": "é"}
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zips():
    return {"set.zip": zipped(), "stored.zip": zipped(compression=zipfile.ZIP_STORED)}


def tars():
    return {"set.tar": tarred(), "gnu.tar": tarred(tarfile.GNU_FORMAT)}


def packed_tars():
    tar = tarred()
    return {"set.tgz": gzip.compress(tar, mtime=0), "set.tar.bz2": bz2.compress(tar), "set.tar.xz": lzma.compress(tar)}


IDX = {
    "train-images-idx3-ubyte": struct.pack(">4I", 0x803, COUNT, SIDE, SIDE) + PIXELS[..., 0].tobytes(),
    "train-labels-idx1-ubyte": struct.pack(">2I", 0x801, COUNT) + bytes(index % 2 for index in range(COUNT)),
}
PACKED_IDX = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in IDX.items()}


def cifar(labels=1):
    """Records of CIFAR-10, or with two labels of CIFAR-100."""
    large = PIXELS.repeat(4, 1).repeat(4, 2)
    return b"".join(bytes([index % 2] * labels) + image.tobytes() for index, image in enumerate(large))


def shards():
    """A split as ganflow writes it: images as Hugging Face has them, with names of classes in the metadata."""
    with tempfile.TemporaryDirectory() as folder:
        (path,) = write_shards(Path(folder), "train", PIXELS, np.arange(COUNT) % 2, class_names=["cat", "dog"])
        return path.read_bytes()


def tables():
    """Parquet in which images are structs or plain bytes, and labels numbers, texts or words of a dictionary."""
    images, words = list(files().values()), ["cat", "dog"] * (COUNT // 2)
    plain = pa.table({"image": pa.array(images, pa.binary()), "label": words, "note": [1.5] * COUNT})
    packed = pa.table({"png": pa.array(images, pa.large_binary()), "class": pa.array(words).dictionary_encode()})
    found = {"set.parquet": shards()}
    for name, table, options in (("plain.parquet", plain, {}), ("packed.parquet", packed, {"compression": "zstd"})):
        out = io.BytesIO()
        pq.write_table(table, out, row_group_size=5, **options)
        found[name] = out.getvalue()
    return found


def webdatasets():
    members = {}
    for index, data in enumerate(files().values()):
        members[f"{index:03d}.png"] = data
        members[f"{index:03d}.cls"] = str(index % 2).encode()
    described = {name: data for name, data in members.items() if name.endswith("png")}
    described |= {f"{index:03d}.json": json.dumps({"label": f"class {index % 2}"}).encode() for index in range(COUNT)}
    return {"set.tar": tarred(contents=members), "described.tar": tarred(contents=described)}


def arrays():
    """Images and labels in NumPy's files: stored, packed, of floats in Fortran's order, and alone."""
    labels = np.arange(COUNT) % 2
    rows = {"images": PIXELS, "labels": labels}
    floats = {"x": np.asfortranarray(PIXELS / 255), "y": np.eye(2)[labels], "names": np.array(["cat", "dog"])}
    found = {}
    for name, save, values in (
        ("stored.npz", np.savez, rows),
        ("packed.npz", np.savez_compressed, rows),
        ("floats.npz", np.savez, floats),
    ):
        out = io.BytesIO()
        save(out, **values)
        found[name] = out.getvalue()
    out = io.BytesIO()
    np.save(out, PIXELS)
    return found | {"images.npy": out.getvalue()}


def pixel_tables():
    """Grey images as rows of numbers: a column for each pixel, and all pixels in one."""
    rows = [image[..., 0].ravel().tolist() for image in PIXELS]
    header = ["label", *(f"pixel{index}" for index in range(SIDE * SIDE))]
    wide = [header, *([index % 2, *row] for index, row in enumerate(rows))]
    lines = [f"{index % 2},{' '.join(map(str, row))},Training\n" for index, row in enumerate(rows)]
    return {
        "wide.csv": "".join(",".join(map(str, row)) + "\n" for row in wide).encode(),
        "narrow.csv": "".join(["emotion,pixels,Usage\n", *lines]).encode(),
    }


def arrow_tables():
    table = pa.table({"image": pa.array(list(files().values()), pa.binary()), "label": ["cat", "dog"] * (COUNT // 2)})
    found = {}
    for name, make in (("stream.arrow", pa.ipc.new_stream), ("file.arrow", pa.ipc.new_file)):
        out = io.BytesIO()
        with make(out, table.schema) as writer:
            writer.write_table(table, max_chunksize=5)
        found[name] = out.getvalue()
    return found


def databases():
    """An LMDB database with values in a page and one that takes several."""
    with tempfile.TemporaryDirectory() as folder:
        with lmdb.open(folder, map_size=2**24) as made, made.begin(write=True) as writing:
            for name, data in files().items():
                writing.put(name.encode(), data)
            writing.put(b"text", b"no image" * 1500)
        return {"data.mdb": Path(folder, "data.mdb").read_bytes()}


LOOSE = {f"{index:02d}.png": data for index, data in enumerate(files().values())}


def label_files():
    """Every form of a file of labels for the images of `LOOSE`."""
    pairs = [(name, f"class {index % 2}") for index, name in enumerate(LOOSE)]
    numbered = [[name, index % 2] for index, name in enumerate(LOOSE)]
    table = "\n".join(["file,label", *(f"{name},{label}" for name, label in pairs)])
    return {
        "labels.csv": table.encode(),
        "labels.tsv": table.replace(",", "\t").encode(),
        "labels.json": json.dumps(dict(pairs)).encode(),
        "labels.jsonl": "\n".join(json.dumps({"file": name, "label": label}) for name, label in pairs).encode(),
        "metadata.csv": table.replace("file,", "file_name,").encode(),
        "metadata.jsonl": "\n".join(json.dumps({"file_name": a, "label": b}) for a, b in numbered).encode(),
        "dataset.json": json.dumps({"labels": numbered}).encode(),
        "annotations.csv": "\n".join(f'"{name}";{label}' for name, label in pairs).encode(),
    }


def pictures():
    """An image of every sort that Pillow and imagecodecs decode for us."""
    pixels = PIXELS[0].repeat(3, 0).repeat(3, 1)
    deep = (PIXELS[0, ..., 0].astype(np.uint16) * 257).repeat(3, 0)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation
    found = {"deep.png": picture(deep), "exif.jpg": picture(pixels, "JPEG", exif=exif)}
    for mode in ("L", "LA", "RGB", "RGBA", "P", "1"):
        found[f"{mode}.png"] = picture(pixels, "PNG", mode)
    for mode in ("L", "RGB", "CMYK"):
        found[f"{mode}.jpg"] = picture(pixels, "JPEG", mode)
    found |= {f"{mode}.bmp": picture(pixels, "BMP", mode) for mode in ("1", "L", "P", "RGB")}
    found |= {f"{mode}.gif": picture(pixels, "GIF", mode) for mode in ("L", "P")}
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        found[f"{compression}.tif"] = picture(pixels, "TIFF", compression=compression)
    for compression in ("group3", "group4"):
        found[f"{compression}.tif"] = picture(pixels, "TIFF", "1", compression=compression)
    found |= {"deep.tif": picture(deep, "TIFF"), "interlaced.gif": picture(pixels, "GIF", interlace=1)}
    found |= {"progressive.jpg": picture(pixels, "JPEG", progressive=True)}
    found |= {f"{mode}.tif": picture(deep.astype(np.int32), "TIFF", mode) for mode in ("F", "I")}
    found |= {"scan.dcm": scan(deep), "frames.dcm": scan(np.stack([deep, deep // 2]), WindowCenter=900, WindowWidth=70)}
    found |= {"lossy.webp": picture(pixels, "WEBP"), "lossless.webp": picture(pixels, "WEBP", "RGBA", lossless=True)}
    return found
