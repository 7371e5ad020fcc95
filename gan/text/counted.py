"""How many there are of something, as a person reads it."""


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun, or with a whole clause that follows it: `1 file`, `2,000 files`.

    Args:
        count: how many.
        one: what follows 1.
        many: what follows other numbers; `one` with an s if not given.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
