"""The real images that come with scikit-learn: 1,797 handwritten digits of 8x8 pixels."""

from collections.abc import Iterator

import numpy as np

from gan.data.sources import SourceImage, SourceKind

_GREY_LEVELS = 16


class DigitsSource:
    """`sklearn.datasets.load_digits`, its 17 grey levels spread over 0 to 255."""

    name: str = "digits"
    kind: SourceKind = "digits"
    class_names: tuple[str, ...] = tuple("0123456789")

    def __init__(self) -> None:
        """Load the digits; they are a file inside scikit-learn, so this needs no network."""
        from sklearn.datasets import load_digits

        digits = load_digits()
        self._pixels = np.rint(digits.images * (255 / _GREY_LEVELS)).astype(np.uint8)[..., np.newaxis]
        self._labels = [int(label) for label in digits.target]

    def __len__(self) -> int:
        """Return 1797."""
        return len(self._labels)

    def __iter__(self) -> Iterator[SourceImage]:
        """Yield each digit as `[8, 8, 1]` uint8, in scikit-learn's order."""
        for index, (pixels, label) in enumerate(zip(self._pixels, self._labels, strict=True)):
            yield SourceImage(f"digits/{index:04d}", label, pixels)
