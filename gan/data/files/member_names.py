"""Names in a zip that does not say in which encoding they are, as Windows in Asia writes them."""

import re
import zipfile
from collections.abc import Sequence

from gan.text.counted import counted

_UTF8 = 0x800  # the flag by which a member says that its name is UTF-8; Python takes all others for cp437
_LOOKED_AT = 2**16  # bytes of names that tell their encoding
_ASIAN = ("cp932", "gb18030", "cp949", "big5")
_HALF_WIDTH = re.compile(
    "[\uff61-\uff9f]"
)  # hardly written in a name, but what Chinese looks like when read as Japanese


def decode_names(members: Sequence[zipfile.ZipInfo], where: str) -> str:
    """Put names right that were taken for cp437, where it is sure what else they are.

    Args:
        members: of one archive; their names are changed.
        where: the archive, for the note.

    Returns:
        A note for a person; nothing where all names say what they are.
    """
    unsure = [each for each in members if not each.flag_bits & _UTF8 and not each.filename.isascii()]
    if not unsure:
        return ""
    encoding = _encoding(b"\n".join(each.filename.encode("cp437") for each in unsure))
    said = counted(
        len(unsure), f"name in {where} does not say its encoding", f"names in {where} do not say their encoding"
    )
    if not encoding:
        return f"{said}: taken for cp437"
    for each in unsure:
        each.filename = each.filename.encode("cp437").decode(encoding, "replace")
    return f"{said}: read as {encoding}"


def _encoding(names: bytes) -> str:
    """Return the encoding of some names, or nothing where several are as likely."""
    try:
        names.decode()
    except UnicodeDecodeError:
        names = names[: names.rfind(b"\n", 0, _LOOKED_AT) + 1 or _LOOKED_AT] if len(names) > _LOOKED_AT else names
    else:
        return "utf-8"
    from charset_normalizer import from_bytes

    found = from_bytes(names, cp_isolation=["cp437", *_ASIAN])
    likely = [each.encoding for each in found if not _HALF_WIDTH.search(str(each))]
    return likely[0] if len(likely) == 1 and likely[0] in _ASIAN else ""
