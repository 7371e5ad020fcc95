"""Secrets in texts: found in an address before it is used, and left out of what is shown, logged or kept."""

import re

HIDDEN = "…"


def _any_case(words: str) -> str:
    """Spell a pattern so that it needs no flag, which JavaScript would not know within a pattern."""
    return re.sub(r"[a-z]", lambda letter: f"[{letter[0]}{letter[0].upper()}]", words)


# As their issuers make them: Hugging Face, GitHub, GitLab, AWS, Slack, OpenAI and the like, JSON web tokens.
_KNOWN = (
    r"(?:hf_[A-Za-z0-9]{12,}|gh[opsur]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|A[KS]IA[A-Z0-9]{12,}"
    r"|xox[abprs]-[\w-]{10,}|sk-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
_WORD = _any_case("(?:token|secret|passw|passphrase|pwd|signature|credential|session|(?:api|access|account).?key)")
_IN_KEY = r"[^=&#?\s]*"
_KEY = rf"(?:(?={_IN_KEY}=){_IN_KEY}{_WORD}|(?:{_IN_KEY}{_any_case('key')}|{_any_case('(?:sig|sas|auth|jwt|code)')})=)"
# The first address of a word, for what follows in the word follows the first one too: looked for behind each, it would
# take the cube of a hostile text's length.
_FIRST = r"(?:^|\s)(?:(?!://)\S)*://"
# «user:password@», a user before the host of a web server, a key of the query whose name says so, and known tokens. A
# port is no password, and a container of Azure's stands before its host without one.
_CREDENTIALS = (
    r"://(?=[^@]*@)[^/?#\s@\[]*:(?!\d+(?:[/?#]|$))",
    rf"{_any_case('https?')}://[^/?#\s]*@",
    rf"{_FIRST}\S*[?&#]{_KEY}",
    rf"{_FIRST}\S*{_KNOWN}",
)
WITHOUT_CREDENTIALS = "^" + "".join(rf"(?![\s\S]*(?:{each}))" for each in _CREDENTIALS)
"""A pattern, of JSON schemas too, that a text matches unless an address in it carries a credential."""

# Each begins where a word does: from every letter of a long one, the search would take the square of its length.
_ADDRESS = re.compile(r"(?<![\w+.-])[\w+.-]+://[^\s'\"<>«»`]+")
_HOST = re.compile(r"(?:[\w.~%*-]*|\[[\w:.%]*\])(?::\d*)?")
_DATABASE = re.compile(r"(?:postgres|mysql|mariadb|mssql|oracle|cockroach|redis|mongo|amqp)", re.I)
_NAMED = re.compile(r"(?<![\w.-])([\w.-]+)(=|['\"]\s*:\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&)'\"«»]+)")
_IN_TEXT = (
    (re.compile(r"(\bauthorization['\"]?\s*[:=]\s*['\"]?)(?:[A-Za-z]+\s+)?[^\s'\",]+", re.I), rf"\1{HIDDEN}"),
    (re.compile(r"(\bbearer\s+)(?:(?=\S*\d)[\w.~+/=-]{8,}|[\w.~+/=-]{16,})", re.I), rf"\1{HIDDEN}"),
    (re.compile(rf"\b{_KNOWN}"), HIDDEN),
)


def has_credentials(text: str) -> bool:
    """Return whether an address in a text carries a password, a token or a signature."""
    return re.search(WITHOUT_CREDENTIALS, text) is None


def bare_address(address: str) -> str:
    """Return an address, of which nothing else is in the text, without user, password, query and known tokens."""
    scheme, separator, rest = address.partition("://")
    if not separator:
        return _hidden(address)
    head = re.split("[/?#]", rest, maxsplit=1)[0]
    if "@" in rest and (_DATABASE.match(scheme) or not _HOST.fullmatch(head)):
        user, _, place = rest.rpartition("@")
        # A user alone is a secret of web servers; elsewhere, as in sftp, part of the name.
        rest = place if ":" in user or scheme.lower().endswith(("http", "https")) else rest
    rest = rest.partition("?")[0]
    path, hash_sign, fragment = rest.partition("#")
    return _hidden(f"{scheme}://{path}{hash_sign}{fragment}" if "=" not in fragment else f"{scheme}://{path}")


def without_secrets(text: str) -> str:
    """Return a text fit to be shown: `bare_address` of all addresses in it, and no passwords or tokens beside them."""
    return _hidden(_ADDRESS.sub(_bare, text))


def _bare(match: re.Match[str]) -> str:
    address = match[0].rstrip(").,:;")  # of the sentence around it
    return bare_address(address) + match[0][len(address) :]


def _hidden(text: str) -> str:
    text = _NAMED.sub(lambda match: f"{match[1]}{match[2]}{HIDDEN}" if re.search(_WORD, match[1]) else match[0], text)
    for pattern, instead in _IN_TEXT:
        text = pattern.sub(instead, text)
    return text
