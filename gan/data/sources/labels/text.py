"""The text of a label file, in whichever encoding it was saved."""

import codecs

from gan.errors import DatasetError

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def shown(text: str) -> str:
    """Return a text of a file as messages show it."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def encoding_of(data: bytes) -> str:
    """Return the encoding that a file's letters look like; nothing where it is one of Unicode's, which is no guess."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return "" if any(data.startswith(mark) for mark in _MARKS) else _guess(data)[0]
    return ""


def text_of(name: str, data: bytes) -> str:
    """Decode a file: by its mark, else as UTF-8, else as what its letters are likeliest to be.

    Raises:
        DatasetError: it is no text, or empty.
    """
    text = _decoded(data)
    # What is no text at all is full of NULs; so is UTF-16 without its mark, which may be valid UTF-8.
    if text is None or "\0" in text:
        line = data.count(b"\n", 0, _first_bad(data)) + 1
        raise DatasetError(f"{name}, line {line}: this is no UTF-8 text: save the file as UTF-8")
    if not text.strip():
        raise DatasetError(f"{name} is empty: write a row with the path and the label of each image")
    return text


def _decoded(data: bytes) -> str | None:
    encoding = next((found for mark, found in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != "utf-8" or b"\0" in data:
            return None
    return _guess(data)[1]


def _guess(data: bytes) -> tuple[str, str | None]:
    """Return what the letters of a text are likeliest to be encoded in, and the text; None where it is none."""
    from charset_normalizer import from_bytes, is_binary

    best = None if is_binary(data) else from_bytes(data).best()
    return (best.encoding, str(best)) if best else ("", None)


def _first_bad(data: bytes) -> int:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return max(0, data.find(b"\0"))
