"""What may happen to bytes: a list of steps, which hypothesis shortens until the smallest that does harm is left."""

from hypothesis import strategies as st

# Texts that mean something to somebody: paths, terminals, JSON, YAML, SQL, Python, file formats.
PIECES = [
    *("../../etc/passwd", "/etc/passwd", "~", "~nobody-knows/x", "C:\\x", "a/./b//c", ".", "", " ", "\0", "\n", "\r\n"),
    *("\x1b[2J", "\u202egnp.exe", "\u200b", "\ufeff", "\ud800", "é", "e\u0301", "٣", "𝟛", "x" * 3000, "%00", "%2e%2e/"),
    *("null", "true", "NaN", "-Infinity", "1e999", "-0", "9" * 5000, "0x1f", "1_000", "2001-99-99", "[" * 3000, "{}"),
    *("http://[", "https://user:pass@host/", "file:///etc/passwd", "s3://", "://", "a::b", "http://h:99999/", "//"),
    *("<script>", "|", "`", "---", "&a [*a]", "!!python/object:os.system", "' OR 1=1 --", "{{7*7}}", "%s%n", '"', ","),
    *("PK\x03\x04", "PAR1", "ustar", "\x1f\x8b"),
]
PLACE = st.floats(0, 1, exclude_max=True)  # as a share of the length
_INSERTED = st.binary(min_size=1, max_size=600) | st.sampled_from(PIECES).map(
    lambda text: text.encode("utf-8", "surrogatepass")
)
STEP = st.one_of(
    st.tuples(st.just("flip"), PLACE, st.integers(1, 255)),
    st.tuples(st.just("cut"), PLACE, st.integers(1, 2000)),
    st.tuples(st.just("insert"), PLACE, _INSERTED),
    st.tuples(st.just("set"), PLACE, st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\xff" * 8, b"\x7f\xff\xff\xff"])),
)
DAMAGE = st.lists(STEP, min_size=1, max_size=4)


def damaged(data, damage, others=None):
    """Take the steps one after the other; `others` are bytes by name, of which a splice takes the end."""
    out = bytearray(data)
    for what, place, how in damage:
        at = int(place * len(out))
        if what == "flip" and out:
            out[at] ^= how
        elif what == "cut":
            del out[at : at + how]
        elif what == "insert":
            out[at:at] = how
        elif what == "set":
            out[at : at + len(how)] = how
        elif what == "splice":
            name, begin = how
            out[at:] = others[name][int(begin * len(others[name])) :]
    return bytes(out)


def damage_among(names):
    """Return what else may happen to bytes where there are others: the end of one behind the beginning of another."""
    splice = st.tuples(st.just("splice"), PLACE, st.tuples(st.sampled_from(names), PLACE))
    return st.lists(STEP | splice, min_size=1, max_size=4)
