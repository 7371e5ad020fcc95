"""Zip and tar as trees: members are read where they lie, so a hostile name has nowhere to be unpacked to."""

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from gan.data.files.blob import Blob
from gan.data.files.member_names import decode_names
from gan.data.files.packing import DEFLATE64, STORED, reads
from gan.data.files.tree import SYMBOLIC_LINK, Entry, Tree, is_hidden, printable
from gan.data.records import Reject
from gan.errors import DatasetError
from gan.text.shown import reason_of

NAME_TWICE = "a later file has the same name"
MAX_MEMBERS = 5_000_000
MAX_RATIO = 200  # bytes out over bytes in: images are packed already, and blank bitmaps stay below it as a whole
HARMLESS_BYTES = 2**26  # little enough to be unpacked whatever the ratio
_MAX_PATH = 4096
_MAX_EXTENDED = 2**14
_ENCRYPTED, _DEFLATE64 = "encrypted", "packed by Deflate64"
_DETAILS = {
    _ENCRYPTED: "unpack the archive with its password and give the folder",
    _DEFLATE64: "as Windows packs what is large: pip install 'ganflow[deflate64]'",
    "packed by an unknown method": "unpack the archive and give the folder",
}


def zip_tree(path: Path, where: str) -> Tree:
    """List a zip.

    Raises:
        DatasetError: it is broken, has too many members, or would swell beyond all reason.
    """
    rejects: list[Reject] = []
    entries: list[Entry] = []
    state = path.stat()
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError, RuntimeError) as error:
        raise _broken(where, error) from None
    _refuse_too_many(len(members), where)
    note = decode_names(members, where)
    # Members may overlap, so that a few bytes are unpacked a million times: counted together.
    refuse_bomb(sum(member.file_size for member in members), state.st_size, where)
    files = [member for member in members if not member.filename.endswith("/")]
    visible = [member for member in files if not is_hidden(member.filename)]
    for member in visible:
        if reason := _zip_reason(member):
            rejects.append(Reject(_name(member.filename), reason, _DETAILS.get(reason, "")))
            continue
        packed = -1 if member.compress_type == STORED else member.compress_size
        size, crc, at = member.file_size, member.CRC, member.header_offset
        blob = Blob(str(path), size, at, packed, crc, state.st_mtime_ns, member.compress_type)
        entries.append(Entry(_name(member.filename), blob))
    return _tree(entries, rejects, where, hidden=len(files) - len(visible), files=len(files), note=note)


def _zip_reason(member: zipfile.ZipInfo) -> str:
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        return SYMBOLIC_LINK
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return "not a regular file"
    if member.flag_bits & 0x1:
        return _ENCRYPTED
    if not reads(member.compress_type):
        return _DEFLATE64 if member.compress_type == DEFLATE64 else "packed by an unknown method"
    return _name_reason(member.filename)


def tar_tree(path: Path, where: str) -> Tree:
    """List an uncompressed tar.

    Raises:
        DatasetError: it is broken or has too many members.
    """
    rejects: list[Reject] = []
    entries: list[Entry] = []
    files = hidden = 0
    state = path.stat()
    try:
        with tarfile.open(path, "r:", tarinfo=_Member) as archive:
            for count, member in enumerate(_members(archive), start=1):
                _refuse_too_many(count, where)
                if member.isdir():
                    continue
                files += 1
                if is_hidden(member.name):
                    hidden += 1
                    continue
                if reason := _tar_reason(member):
                    rejects.append(Reject(_name(member.name), reason))
                    continue
                if member.offset_data + member.size > state.st_size:
                    rejects.append(Reject(_name(member.name), "cut short", "the archive ends before it does"))
                    continue
                blob = Blob(str(path), member.size, offset=member.offset_data, modified=state.st_mtime_ns)
                entries.append(Entry(_name(member.name), blob))
    except DatasetError:
        raise
    except Exception as error:  # on hostile headers tarfile raises nearly any type
        raise _broken(where, error) from None
    return _tree(entries, rejects, where, hidden=hidden, files=files)


class _Member(tarfile.TarInfo):
    """A header; extended ones are read only where they are as short as they can reasonably be.

    Some Pythons search them in quadratic time (CVE-2024-6232), and all hold them in memory.
    """

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        extended = {tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}
        extended |= {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
        if self.type in extended and self.size > _MAX_EXTENDED:
            raise ValueError(f"a header of {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc,no-any-return]


def _members(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        if member.size < 0:
            raise ValueError(f"{member.name} has a negative size")
        yield member
        archive.members.clear()  # type: ignore[attr-defined]  # it would keep them all
    # tarfile takes whatever it does not understand for the end.
    archive.fileobj.seek(archive.offset)
    if archive.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise ValueError(f"it breaks off at byte {archive.offset:,}")


def _tar_reason(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return SYMBOLIC_LINK if member.issym() else "hard link"
    if not member.isreg() or member.issparse():
        return "not a regular file"
    return _name_reason(member.name)


def _name_reason(name: str) -> str:
    if not name or len(name) > _MAX_PATH or "\0" in name:
        return "impossible name"
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or (len(name) > 1 and name[1] == ":"):
        return "path outside the archive"
    return ""


def _name(name: str) -> str:
    text = name.replace("\\", "/").removeprefix("./")[:_MAX_PATH]
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _tree(entries: list[Entry], rejects: list[Reject], where: str, *, hidden: int, files: int, note: str = "") -> Tree:
    by_path: dict[str, Entry] = {}
    for entry in entries:
        if entry.path in by_path:  # the later file it is, as every unpacker has it
            rejects.append(Reject(entry.path, NAME_TWICE))
        by_path[entry.path] = entry
    name = Path(where.rstrip("/")).name
    stem = printable(name.split(".", 1)[0]) or "images"
    ordered = tuple(by_path[path] for path in sorted(by_path))
    ordered_rejects = tuple(sorted(rejects, key=str))
    notes = (note,) if note else ()
    return Tree(stem, where, ordered, ordered_rejects, is_archive=True, notes=notes, hidden=hidden, files=files)


def refuse_bomb(unpacked: int, packed: int, where: str) -> None:
    """Refuse to unpack what swells beyond all reason.

    Raises:
        DatasetError: more than `MAX_RATIO` bytes for each packed one.
    """
    if unpacked > max(HARMLESS_BYTES, MAX_RATIO * packed):
        raise DatasetError(
            f"{where} would unpack to more than {MAX_RATIO} times its {packed:,} bytes, as only a decompression bomb "
            "does: unpack it yourself if you trust it, and give the folder"
        )


def _refuse_too_many(count: int, where: str) -> None:
    if count > MAX_MEMBERS:
        raise DatasetError(f"{where} has more than {MAX_MEMBERS:,} members: give it in several archives")


def _broken(where: str, error: Exception) -> DatasetError:
    return DatasetError(f"the archive {where} is broken ({reason_of(error)}): fetch or make it again")
