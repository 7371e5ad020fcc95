"""Whose images they are: what a person says of a source, which travels to every dataset, model and release of it."""

import difflib
import re
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from gan.configuration.arguments import require_no_credentials
from gan.errors import InputError
from gan.text.credentials import bare_address

LONGEST = {"licence": 200, "source_url": 1000, "credit": 500, "description": 2000}
"""Characters of each text; MLflow's tags take 5,000."""
FIELDS = tuple(LONGEST)
_OPTIONS = {"licence": "--license", "source_url": "--source-url", "credit": "--credit", "description": "--description"}
_COMMON = ("CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-4.0", "ODbL-1.0", "ODC-By-1.0", "Apache-2.0", "MIT")
_NEAR, _ALIKE = 3, 0.7


class Origin(BaseModel):
    """What is said of images as a whole; None where nothing is.

    Attributes:
        licence: an SPDX expression; `LicenseRef-…` names one that is not on SPDX's list.
        source_url: where the images are published; http or https, without a credential.
        credit: who is to be named, in words.
        description: what the images show and how they came about, in words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    licence: str | None = None
    source_url: str | None = None
    credit: str | None = None
    description: str | None = None

    def checked(self) -> Self:
        """Return it as it is recorded: the licence spelled as SPDX does, no spaces around any text.

        An empty text stays: it withdraws what was said before (`over`).

        Raises:
            InputError: a text is too long, has control characters or a credential, the licence is no SPDX expression,
                or the address is none of the web.
        """
        told = {field: text.strip() for field in FIELDS if (text := getattr(self, field)) is not None}
        for field, text in told.items():
            _require_text(field, text)
        if told.get("licence"):
            told["licence"] = _spdx(told["licence"])
        if told.get("source_url"):
            _require_address(told["source_url"])
        return type(self)(**told)

    def over(self, earlier: "Origin") -> "Origin":
        """Return what holds once this is said: of each field this, where it says something, else what stood before.

        An empty text leaves nothing of its field.
        """
        told = {field: _first(getattr(self, field), getattr(earlier, field)) or None for field in FIELDS}
        return Origin(**told)

    def kept(self, earlier: "Origin") -> tuple[str, ...]:
        """Return the fields that `over` takes from before."""
        return tuple(field for field in FIELDS if getattr(self, field) is None and getattr(earlier, field))


def _first(text: str | None, other: str | None) -> str | None:
    return other if text is None else text


def _require_text(field: str, text: str) -> None:
    option = _OPTIONS[field]
    if len(text) > LONGEST[field]:
        raise InputError(f"{option} has {len(text)} characters, more than the {LONGEST[field]} there is room for")
    if not text.isprintable():
        raise InputError(
            f"{option} «{text[:60]}» has line ends, control characters or marks that nobody sees: give it as one plain "
            "line"
        )
    require_no_credentials(text)


def _require_address(text: str) -> None:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        sound = False
    if not sound or any(each in text for each in ' <>"`\\'):
        raise InputError(
            f"--source-url «{bare_address(text)[:200]}» is no address of the web: give one that begins with https://"
        )


def _spdx(text: str) -> str:
    """Return an SPDX expression in SPDX's own spelling (https://spdx.github.io/spdx-spec, annex D)."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        such = _near(text)
    instead = f"give {' or '.join(such)} if that is meant" if such else f"give one such as {', '.join(_COMMON)}"
    raise InputError(
        f"--license «{text}» is no SPDX licence expression: {instead}, or LicenseRef-NAME for a licence that is not on "
        "SPDX's list (https://spdx.org/licenses)"
    )


def _near(text: str) -> list[str]:
    """Return the licences whose names are spelled nearly like the first of an expression that is none."""
    try:
        from packaging.licenses._spdx import LICENSES  # it has no public list
    except ImportError:
        known = list(_COMMON)
    else:
        known = [each["id"] for each in LICENSES.values() if not each["deprecated"]]
    spelled = {_squeezed(each): each for each in known}
    parts = [each.strip() for each in re.split(r"\s(?:and|or|with)\s|[()]", text, flags=re.I)]
    unknown = next((_squeezed(each) for each in parts if each and each.lower() not in map(str.lower, known)), "")
    if not unknown or unknown in spelled:
        return [spelled[unknown]] if unknown else []
    longer = sorted((each for key, each in spelled.items() if key.startswith(unknown)), key=_usual)
    return longer[:_NEAR] or [spelled[each] for each in difflib.get_close_matches(unknown, spelled, _NEAR, _ALIKE)]


def _usual(licence: str) -> tuple[bool, int]:
    return licence not in _COMMON, len(licence)


def _squeezed(text: str) -> str:
    return re.sub(r"licen[cs]e(?!ref)|version|v(?=[. ]?\d)|[^a-z0-9]", "", text.lower())
