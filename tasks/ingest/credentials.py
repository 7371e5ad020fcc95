"""Where the credential of a source comes from: a Secret block of Prefect's, the environment, or ~/.netrc."""

from gan.data.files.authorization import authorization
from gan.errors import InputError
from gan.text.credentials import bare_address
from gan.text.shown import reason_of
from tasks.runtime.settings import Settings


def find_authorization(settings: Settings, source: str, secret_block: str | None) -> str | None:
    """Return the header `Authorization` for a source, or None where it is no web server's or nobody gave one.

    Args:
        settings: with `GANFLOW_SOURCE_TOKEN`.
        source: a URL, or anything else.
        secret_block: name of the Secret block; it goes before the environment, and that before ~/.netrc.

    Raises:
        InputError: there is no such block, it holds no text, or the source is no server that is reached encrypted.
    """
    scheme = source.partition("://")[0].lower() if "://" in source else ""
    if secret_block is not None:
        if scheme != "https":
            raise InputError(
                f"--source-secret is for https addresses, but the source is {bare_address(source)}: leave it out"
            )
        return authorization(_block(secret_block))
    if scheme not in {"http", "https"}:
        return None
    if settings.ganflow_source_token:  # not where it is empty
        return authorization(settings.ganflow_source_token.get_secret_value())
    from requests.utils import get_netrc_auth

    try:
        found = get_netrc_auth(source)
    except ValueError:  # no address: whoever fetches it will say so
        return None
    return authorization(":".join(found)) if found else None


def _block(name: str) -> str:
    from prefect.blocks.system import Secret

    try:
        value = Secret.load(name).get()  # type: ignore[union-attr]
    except Exception as error:  # Prefect raises a ValueError for a missing block, and others for a server that is away
        raise InputError(
            f"the Secret block «{name}» cannot be had from Prefect ({reason_of(error)}): make it, or correct "
            "--source-secret"
        ) from None
    if not isinstance(value, str) or not value:
        raise InputError(f"the Secret block «{name}» holds no text: put a token or user:password into it")
    return value
