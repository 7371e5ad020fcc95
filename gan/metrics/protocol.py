"""The conditions a score holds under; scores of different conditions are refused, not compared."""

from typing import Annotated, Literal

from pydantic import Field

from gan.config import Frozen, Precision, Resize
from gan.errors import ProtocolMismatchError

METRICS_VERSION = 1  # raised with every change of this package that changes a score


class Protocol(Frozen):
    """Everything that moves a score besides the generator."""

    num_generated: Annotated[int, Field(ge=2)]
    num_reference: Annotated[int, Field(ge=2)]
    reference_split: Literal["train", "test"]
    resize: Resize
    network: str
    network_sha256: str
    precision: Precision
    dataset_md5: str
    seed: int
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
