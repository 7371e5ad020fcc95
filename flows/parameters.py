"""Types of the flows' parameters, which Prefect keeps with every run."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from gan.text.credentials import WITHOUT_CREDENTIALS

# A server checks a deployment's parameters by their schema before it writes them down; a flow's body comes too late.
Plain = Annotated[str, Field(json_schema_extra={"pattern": WITHOUT_CREDENTIALS})]
"""A text in which no address carries a password, a token or a signature."""
Overrides = Sequence[Plain]
"""`section.key=value` changes of a configuration."""
