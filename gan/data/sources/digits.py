"""The real images that come with scikit-learn: 1,797 handwritten digits of 8x8 pixels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gan.configuration.vocabulary import SourceKind
from gan.data.origin import Origin
from gan.data.records import SourceImage, Tally, tally

_GREY_LEVELS = 16
_COUNT = 1797
_ORIGIN = Origin(
    licence="CC-BY-4.0",
    source_url="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    credit="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI ML Repository, 1998",
    description="handwritten digits of 13 people, 8x8 pixels: the test set of the UCI repository",
)


@dataclass(frozen=True)
class _AllDigits:
    def __len__(self) -> int:
        return _COUNT

    def tally(self) -> Tally:
        from sklearn.datasets import load_digits

        return tally(load_digits().target.tolist(), None)

    def identity(self) -> str:
        return "scikit-learn's digits"

    def read(self) -> Iterator[SourceImage]:
        from sklearn.datasets import load_digits

        digits = load_digits()
        pixels = np.rint(digits.images * (255 / _GREY_LEVELS)).astype(np.uint8)[..., np.newaxis]
        for index, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
            yield SourceImage(f"digits/{index:04d}", int(label), image)


class DigitsSource:
    """`sklearn.datasets.load_digits`, its 17 grey levels spread over 0 to 255; a file in scikit-learn, no network."""

    name: str = "digits"
    kind: SourceKind = "digits"
    class_names: tuple[str, ...] = tuple("0123456789")
    has_split: bool = False
    notes: tuple[str, ...] = ()
    origin: Origin = _ORIGIN

    def __len__(self) -> int:
        """Return 1797."""
        return _COUNT

    def parts(self) -> Sequence[_AllDigits]:
        """Return one part: `[8, 8, 1]` uint8 images in scikit-learn's order."""
        return [_AllDigits()]
