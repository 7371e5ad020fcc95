"""What a verification reads in a manifest, and what it finds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from gan.configuration.vocabulary import Precision, ReleaseFormat
from tasks.releases.states import State

Kind = Literal[
    "manifest", "signature", "key", "missing", "extra", "file", "rows", "pixels", "mark", "generator", "not checked"
]
MOST_PIXELS = 2**28  # of an image, decoded
_SHOWN = 3


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class StatedModel(_Read):
    """The registered version that drew the release."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Annotated[int, Field(ge=0, lt=10**9)]
    run_id: str


class StatedGeneration(_Read):
    """How it was drawn."""

    num_images: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, Field(ge=1)]
    format: ReleaseFormat = "parquet"
    precision: Precision = "fp32"
    truncation: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0


class StatedImage(_Read):
    """The size of an image."""

    height: Annotated[int, Field(ge=1, le=2**16)]
    width: Annotated[int, Field(ge=1, le=2**16)]
    channels: Literal[1, 3]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C)."""
        return self.height, self.width, self.channels


class StatedCheck(_Read):
    """What was found of it before it was published."""

    passed: bool
    said: str


class Stated(_Read):
    """What a verification needs of a manifest, which says more.

    Attributes:
        name: of the release.
        model: that drew it.
        generation: how.
        image: size of each.
        counts: images by class, in the order of the labels.
        files: sha256 by path.
        marks: what each image's metadata says; None in releases of before there were marks.
        signed_by: fingerprint of the key that signed; None where no key was given.
        checks: what it was looked at for; none in releases of before there were checks.
    """

    name: str
    model: StatedModel
    generation: StatedGeneration
    image: StatedImage
    counts: dict[str, int]
    files: dict[str, Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]]
    marks: dict[str, str] | None = None
    signed_by: str | None = None
    checks: tuple[StatedCheck, ...] = ()


class Problem(BaseModel):
    """One way in which a release is not what it says, in a sentence."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    sentence: str


@dataclass
class Findings:
    """What has been found so far.

    Attributes:
        problems: what is wrong.
        notes: what was not looked at, and why.
    """

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def wrong(self, kind: Kind, sentence: str) -> None:
        """Add a problem."""
        self.problems.append(Problem(kind=kind, sentence=sentence))

    def note(self, sentence: str) -> None:
        """Add what was not looked at."""
        self.notes.append(sentence)


class Verified(BaseModel):
    """What a verification found.

    Attributes:
        name: of the release.
        path: its folder.
        model: the registered model that drew it; None where the manifest cannot be read, as the next.
        version: its number.
        files: files that were compared with their sha256.
        images: images that were decoded.
        marked: of these, those that carry the mark of the manifest.
        signed_by: fingerprint of the key whose signature holds; None where none does.
        key_compared: whether that key was compared with one that is trusted.
        regenerated: images that were drawn again.
        equal: of these, equal bit by bit.
        near: of these, as near as another kind of processor comes: `gan.generation.precision.same_image`.
        state: whether it may be used, as far as registry and manifest say; None: neither does.
        reason: why it may not; None where it may.
        notes: what was not looked at, and why.
        problems: what is wrong; none in a release that is as it was made.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    path: str
    model: str | None = None
    version: int | None = None
    files: int = 0
    images: int = 0
    marked: int = 0
    signed_by: str | None = None
    key_compared: bool = False
    regenerated: int = 0
    equal: int = 0
    near: int = 0
    state: State | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    @computed_field  # type: ignore[prop-decorator]
    @property
    def as_made(self) -> bool:
        """Whether nothing is wrong with its bytes."""
        return not self.problems

    @computed_field  # type: ignore[prop-decorator]
    @property
    def sound(self) -> bool:
        """Whether it is as it was made, and neither recalled nor quarantined."""
        return self.as_made and self.state in (None, State.PUBLISHED)


def some(names: Sequence[object]) -> str:
    """Return the first few of some names, and how many more there are."""
    more = len(names) - _SHOWN
    return ", ".join(map(str, names[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
