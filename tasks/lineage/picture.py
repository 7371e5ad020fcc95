"""The chain as a picture: a box for each thing, to the right of what it was made from."""

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from gan.text.shown import inert
from tasks.lineage.lines import Link

MOST_BOXES = 40
_SCALE = 2  # pixels for each of the units below: a page is often shown on a screen of two to one
_WIDTH, _HEIGHT, _GAP, _STEP, _MARGIN = 190, 34, 8, 214, 12
_NAME, _KIND = 12, 10  # sizes of letters
_LONGEST = 24  # characters of a name
_PAPER, _BOX, _ASKED, _EDGE, _TEXT, _GREY = "#ffffff", "#f1f5f9", "#fde68a", "#94a3b8", "#0f172a", "#475569"


def chain_png(chain: Sequence[Link]) -> bytes:
    """Draw a chain, at most its first `MOST_BOXES` things, as a PNG; what was asked for stands out.

    Letters beyond ASCII may be drawn as boxes, and long names are cut: all of them stand in the table beside it.

    Args:
        chain: each thing behind what it was made from, one deeper.
    """
    shown = chain[:MOST_BOXES]
    deepest = max((link.depth for link in shown), default=0)
    width = 2 * _MARGIN + deepest * _STEP + _WIDTH
    height = 2 * _MARGIN + max(len(shown), 1) * (_HEIGHT + _GAP) - _GAP
    picture = Image.new("RGB", (width * _SCALE, height * _SCALE), _PAPER)
    canvas = ImageDraw.Draw(picture)
    above: dict[int, int] = {}  # by depth, the last row there
    for row, link in enumerate(shown):
        if (parent := above.get(link.depth - 1)) is not None:
            _edge(canvas, link.depth, parent, row)
        _box(canvas, link, row)
        above = {depth: at for depth, at in above.items() if depth < link.depth} | {link.depth: row}
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _place(depth: int, row: int) -> tuple[int, int]:
    return _MARGIN + depth * _STEP, _MARGIN + row * (_HEIGHT + _GAP)


def _scaled(*places: float) -> list[float]:
    return [place * _SCALE for place in places]


def _box(canvas: ImageDraw.ImageDraw, link: Link, row: int) -> None:
    left, top = _place(link.depth, row)
    corners = _scaled(left, top, left + _WIDTH, top + _HEIGHT)
    canvas.rounded_rectangle(
        corners, radius=5 * _SCALE, fill=_ASKED if link.asked else _BOX, outline=_EDGE, width=_SCALE
    )
    name = inert(link.name)
    name = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    for text, size, down, colour in ((inert(link.kind), _KIND, 4, _GREY), (name, _NAME, 16, _TEXT)):
        font = ImageFont.load_default(size * _SCALE)
        canvas.text(((left + 8) * _SCALE, (top + down) * _SCALE), text, fill=colour, font=font)


def _edge(canvas: ImageDraw.ImageDraw, depth: int, parent: int, row: int) -> None:
    left, top = _place(depth, row)
    start, above = _place(depth - 1, parent)
    # Down beside the boxes of the parent's column, then to the right: lines never cross a box.
    trunk, middle = start + 10, top + _HEIGHT / 2
    canvas.line(_scaled(trunk, above + _HEIGHT, trunk, middle), fill=_EDGE, width=_SCALE)
    canvas.line(_scaled(trunk, middle, left, middle), fill=_EDGE, width=_SCALE)
