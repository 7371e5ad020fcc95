"""Types of the flows' parameters, which Prefect keeps with every run."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gan.text.credentials import WITHOUT_CREDENTIALS

# A server checks a deployment's parameters by their schema before it writes them down; a flow's body comes too late.
Plain = Annotated[str, Field(json_schema_extra={"pattern": WITHOUT_CREDENTIALS})]
"""A text in which no address carries a password, a token or a signature."""
Workers = Annotated[int, Field(ge=1)] | Annotated[str, Field(pattern=r"^[1-9]\d{0,4}(:[1-9]\d{0,4})?$")]
"""A number of Ray Train workers, or a range, `2:4`, in which it may change while a training runs."""
Trials = Annotated[int, Field(ge=1, le=100)]
"""How many seeds are trained, of which the best is a candidate."""
Minutes = Annotated[float, Field(gt=0.0)] | None
"""After how many minutes a training leaves a checkpoint, from which it goes on when it is asked for again."""
Repository = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,96}/[A-Za-z0-9._-]{1,96}$")]
"""OWNER/NAME of a dataset on the Hugging Face hub."""
Overrides = Sequence[Plain]
"""`section.key=value` changes of a configuration."""
