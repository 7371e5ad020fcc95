"""What no argument, parameter or key may hold, because records of runs keep them."""

from gan.errors import InputError
from gan.text.credentials import bare_address, has_credentials


def require_no_credentials(*texts: str | None) -> None:
    """Refuse an address with a password, a token or a signature in it.

    Args:
        texts: as they were given; None where nothing was.

    Raises:
        InputError: one of them has such an address; it is named without that.
    """
    for text in texts:
        if text is not None and has_credentials(text):
            raise InputError(
                f"«{bare_address(text)}» was given with a credential in it, which the records of the run would keep: "
                "leave it out, and give it by GANFLOW_SOURCE_TOKEN, ~/.netrc, HF_TOKEN or AWS's variables in the "
                "environment, or as --source-secret with the name of a Prefect Secret block"
            )
