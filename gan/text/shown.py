"""Texts from outside, such as names of files and messages of libraries, made fit to be shown on a line."""

from gan.text.credentials import without_secrets


def inert(text: str) -> str:
    r"""Return a text with whatever a terminal obeys or hides as its escape sequence, as in `\x1b` and `\u202e`.

    These are line ends and other control characters, marks of writing direction, joiners and spaces of no width.
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def shown(text: str) -> str:
    """Return a text without secrets, and inert."""
    return inert(without_secrets(text))


def reason_of(error: object, most: int = 200) -> str:
    """Return the message of a library's error on one line, without secrets, to stand in a sentence of ours.

    Args:
        error: what was raised, or a text.
        most: characters that are kept.
    """
    text = " ".join(shown(" ".join(str(error).split())).split())
    return text[:most].rstrip(".:") or type(error).__name__


def last_line_of(error: object) -> str:
    """Return the last line of a library's error, which is what the long ones of Ray and PyTorch come down to.

    Args:
        error: what was raised, or a text; it is shortened as by `reason_of`.
    """
    lines = [line for line in str(error).splitlines() if line.strip()]
    return reason_of(lines[-1]) if lines else type(error).__name__
