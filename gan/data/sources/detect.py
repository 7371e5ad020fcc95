"""From what a user points at to a source: by its kind if that is given, else by what is found there."""

import contextlib
import errno
import gc
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gan.data.files.archive import tar_tree, zip_tree
from gan.data.files.blob import Blob
from gan.data.files.fetch import fetch, is_url
from gan.data.files.tree import Entry, OnListed, Tree, folder_tree, printable
from gan.data.files.unpack import head_of, is_compressed, unpack
from gan.data.pixels.decode import is_image_name
from gan.data.records import Source
from gan.data.sources.arrays import plain_file
from gan.data.sources.beside import WithFilesBeside
from gan.data.sources.cifar import CifarSource, is_cifar
from gan.data.sources.database import DatabaseSource, is_database
from gan.data.sources.folder import FolderSource
from gan.data.sources.foreign import HEAD_BYTES, is_arrow, refuse_file
from gan.data.sources.idx import IdxSource, is_idx
from gan.data.sources.labels.finding import read_labels
from gan.data.sources.release import ReleaseSource, read_released
from gan.data.sources.spec import AUTO, NO_LABELS, SourceSpec, existing
from gan.data.sources.stacks.choose import is_numpy
from gan.data.sources.stacks.columns import is_pixel_table
from gan.data.sources.stacks.header import MAGIC as NUMPY_MAGIC
from gan.data.sources.webdataset import WebDatasetSource, is_webdataset
from gan.errors import DatasetError
from gan.text.credentials import bare_address

if TYPE_CHECKING:  # it takes a while to load
    from gan.data.sources.parquet.source import ParquetSource
    from gan.data.sources.stacks.source import NumpySource
    from gan.data.sources.stacks.table_source import TableSource

    Records = ParquetSource | IdxSource | CifarSource | WebDatasetSource | NumpySource | TableSource | DatabaseSource

_TARS = (".tar", ".tar.gz", ".tgz")
_LOOKED_AT = 100  # files of a tree


def open_source(
    spec: SourceSpec,
    scratch: Path,
    on_fetch: Callable[[int, int], None] | None = None,
    authorization: str | None = None,
    on_listed: OnListed | None = None,
) -> Source:
    """Open a source; no image is decoded yet.

    Args:
        spec: what to open.
        scratch: folder for what has to be fetched or unpacked; a later call finds it there again.
        on_fetch: called with (bytes done, bytes in all) while something is fetched from a URL.
        authorization: the header of that name, for a URL's own web server.
        on_listed: called with the number of files listed so far while a folder is.

    Raises:
        DatasetError: nothing is there, or nothing of that kind, or it is broken.
        ResourcesError: the disk is too full.
    """
    spec.require()
    with _collector_paused():
        return _open(spec, scratch, on_fetch, authorization, on_listed)


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep Python from looking for cycles, of which there are none, among the names of a million files."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _open(
    spec: SourceSpec,
    scratch: Path,
    on_fetch: Callable[[int, int], None] | None,
    authorization: str | None,
    on_listed: OnListed | None,
) -> Source:
    if spec.spec == "digits" or spec.kind == "digits":
        # Each loads a library that no other source needs.
        from gan.data.sources.digits import DigitsSource

        return DigitsSource()
    if spec.kind == "huggingface":
        from gan.data.sources.hub.source import open_hub

        label = spec.asked.label_column
        return open_hub(spec.spec, spec.background, scratch, use_labels=spec.labels != NO_LABELS, label_column=label)
    try:
        path = fetch(spec.spec, scratch, on_fetch, authorization) if is_url(spec.spec) else existing(spec.spec)
        tree = open_tree(path, path.name if is_url(spec.spec) else spec.spec, scratch, on_listed)
        return _open_tree_source(tree, spec, scratch)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT}:
            raise
        where = bare_address(spec.spec)
        raise DatasetError(f"{where!r} cannot be read ({error}): check its name and permissions") from None


def open_tree(path: Path, where: str, scratch: Path, on_listed: OnListed | None = None) -> Tree:
    """List the files of a folder, a zip or a tar, or a single file that holds many images, such as Parquet.

    Raises:
        DatasetError: it is a file of another sort, or broken.
        OSError: it cannot be read.
    """
    if path.is_dir():
        return folder_tree(path, on_listed)
    path = path.resolve()  # its files are read without following links
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise DatasetError(f"{where} is neither a file nor a folder: give a folder or an archive of images")
    blob = Blob(str(path), state.st_size, modified=state.st_mtime_ns)
    plain = unpack(path, where, scratch) if is_compressed(head_of(blob)) else path
    if _is_tar(plain):  # first, for a zip may lie at its end
        return tar_tree(plain, where)
    if zipfile.is_zipfile(path):
        return zip_tree(path, where)
    blob = Blob(str(plain), plain.stat().st_size, modified=state.st_mtime_ns)
    head = head_of(blob, HEAD_BYTES)
    entry = Entry(printable(path.name), blob)
    tree = Tree(printable(path.stem), where, (entry,), is_parquet=head.startswith(b"PAR1"))
    is_single = head.startswith(NUMPY_MAGIC) or is_arrow(entry) or is_database(entry) or is_pixel_table(tree)
    if tree.is_parquet or is_single:
        return tree
    refuse_file(head, where)
    raise DatasetError(
        f"{where} is a file, but no zip, tar or Parquet file: give the folder that holds the images, or an archive"
    )


def _open_tree_source(tree: Tree, spec: SourceSpec, scratch: Path) -> Source:
    if spec.kind in {AUTO, "release"} and (released := read_released(tree)):
        if spec.labels not in {None, NO_LABELS}:
            raise DatasetError(f"--labels is for folders of images, but {tree.where} is a release, which has its own")
        return ReleaseSource(tree, released, spec.background, scratch, use_labels=spec.labels != NO_LABELS)
    kind = spec.kind if spec.kind != AUTO else _found(tree)
    use_labels = spec.labels != NO_LABELS
    if spec.labels not in {None, NO_LABELS} and kind != "folder":
        raise DatasetError(f"--labels is for folders of images, but {tree.where} holds {kind} files")
    if kind != "folder" and not (kind == "parquet" and spec.asked.is_label_column) and spec.asked.given():
        raise DatasetError(f"{spec.asked.options()} is for folders of images, but {tree.where} holds {kind} files")
    if kind not in {"folder", "webdataset"} and kind != _found(tree) and not _holds(kind, tree):
        raise DatasetError(f"{tree.where} holds no {kind} files: leave --source-kind out to have the kind found")
    if kind != "folder":
        source = _open_records(tree, kind, spec, scratch, use_labels=use_labels)
        # Members of an `.npz` are arrays, and those of a tar of samples belong to one each.
        is_one = len(tree.entries) == 1 or (kind == "numpy" and tree.is_archive)
        is_one |= kind == "webdataset" and not _holds_tars(tree)
        return source if is_one else WithFilesBeside(source, tree)
    if spec.labels in {None, NO_LABELS}:
        return FolderSource(tree, spec.background, use_labels=use_labels, asked=spec.asked)
    path = Path(spec.labels or "").expanduser()
    columns = (spec.asked.path_column, spec.asked.label_column)
    labels = read_labels(str(spec.labels), Blob(str(path), path.stat().st_size), columns)
    return FolderSource(tree, spec.background, labels, asked=spec.asked)


def _open_records(tree: Tree, kind: str, spec: SourceSpec, scratch: Path, *, use_labels: bool) -> "Records":
    if kind == "parquet":
        from gan.data.sources.parquet.arrow_files import as_parquet
        from gan.data.sources.parquet.source import ParquetSource

        label = spec.asked.label_column
        plain = as_parquet(tree, scratch)
        return ParquetSource(plain, spec.background, scratch, use_labels=use_labels, label_column=label)
    if kind == "numpy":
        from gan.data.sources.stacks.source import NumpySource

        return NumpySource(tree, scratch, use_labels=use_labels)
    if kind == "csv":
        from gan.data.sources.stacks.table_source import TableSource

        return TableSource(tree, scratch, use_labels=use_labels)
    if kind == "lmdb":
        return DatabaseSource(tree, spec.background, scratch)
    if kind == "idx":
        return IdxSource(tree, scratch)
    if kind == "cifar":
        return CifarSource(tree, scratch)
    trees = [_inner(entry, tree, scratch) for entry in tree.entries if _tar_name(entry.path)]
    return WebDatasetSource(trees or [tree], tree.name, spec.background, use_labels=use_labels)


def _found(tree: Tree) -> str:
    suffixes = {entry.path.rsplit(".", 1)[-1].lower() for entry in tree.entries}
    if tree.is_parquet or ("parquet" in suffixes and _are_tables(tree)):
        return "parquet"
    may_be_idx = any(suffix == "gz" or suffix.endswith("-ubyte") for suffix in suffixes)
    if may_be_idx and any(is_idx(entry.path) for entry in tree.entries):
        return "idx"
    if "bin" in suffixes and is_cifar(tree):
        return "cifar"
    if not any(is_image_name(entry.path) for entry in tree.entries):
        if any(map(is_arrow, tree.entries[:_LOOKED_AT])):
            return "parquet"
        for kind in ("lmdb", "numpy", "csv"):
            if _holds(kind, tree):
                return kind
    return "webdataset" if is_webdataset(tree) or (suffixes & {"tar", "gz", "tgz"} and _holds_tars(tree)) else "folder"


def _holds(kind: str, tree: Tree) -> bool:
    """Return whether a tree has files of a kind, though images beside them make it one of images."""
    if kind == "lmdb":
        return any(map(is_database, tree.entries[:_LOOKED_AT]))
    return is_numpy(tree) if kind == "numpy" else kind == "csv" and is_pixel_table(tree)


def _are_tables(tree: Tree) -> bool:
    """Tell tables beside which an image shows what they hold from images that a table says something of."""
    tables = sum(entry.path.lower().endswith(".parquet") for entry in tree.entries)
    return tables >= sum(is_image_name(entry.path) for entry in tree.entries)


def _holds_tars(tree: Tree) -> bool:
    return any(_tar_name(entry.path) for entry in tree.entries) and not any(
        is_image_name(entry.path) for entry in tree.entries
    )


def _tar_name(path: str) -> bool:
    return path.endswith(_TARS)


def _inner(entry: Entry, tree: Tree, scratch: Path) -> Tree:
    return tar_tree(plain_file(entry, tree.where, scratch), entry.path)


def _is_tar(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(512)
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True
