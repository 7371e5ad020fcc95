"""The conditions a score holds under; scores of different conditions are refused, not compared."""

from typing import Annotated, Literal

from pydantic import Field

from gan.configuration.config import Frozen
from gan.configuration.vocabulary import Precision, Resize
from gan.errors import ProtocolMismatchError

ReferenceSplit = Literal["train", "test", "all"]
METRICS_VERSION = 7  # raised with every change of this package that changes a score


class Protocol(Frozen):
    """Everything that moves a score besides the generator.

    Attributes:
        num_generated: generated images.
        num_reference: real images that they are compared with.
        reference_split: where these come from; `all` is every image of a set that has no splits.
        resize: resampling to the network's input.
        network: name of the feature network.
        network_sha256: of its file.
        precision: of the network.
        dataset_md5: the reference's version, or the digest of its pixels where it has none.
        seed: of the generated images, and of the choice of reference images.
        neighbours: k of the nearest neighbours in precision, recall, density and coverage.
        num_training: training images among which copies were looked for; 0 where that was not done.
        num_holdout: held out images that say how near an image that is no copy comes.
        code_version: of the metrics.
    """

    num_generated: Annotated[int, Field(ge=2)]
    num_reference: Annotated[int, Field(ge=2)]
    reference_split: ReferenceSplit
    resize: Resize
    network: str
    network_sha256: str
    precision: Precision
    dataset_md5: str
    seed: int
    neighbours: int = 0
    num_training: int = 0
    num_holdout: int = 0
    code_version: int = METRICS_VERSION


def require_equal(a: Protocol, b: Protocol) -> None:
    """Return if two protocols are the same in every field.

    Raises:
        ProtocolMismatchError: they are not; the sentence names each field that differs, with both values.
    """
    differences = [
        f"{field} {getattr(a, field)} and {getattr(b, field)}"
        for field in Protocol.model_fields
        if getattr(a, field) != getattr(b, field)
    ]
    if differences:
        raise ProtocolMismatchError(
            f"the scores hold under different protocols ({', '.join(differences)}) and cannot be compared: "
            "evaluate both under one protocol"
        )
