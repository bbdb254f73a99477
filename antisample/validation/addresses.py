"""Addresses of databases, servers and object stores in configurations: their form, and that none holds a secret.

Addresses are written into studies, printed and sent around. What may stand in one is listed here, for all of them;
whatever else stands there is refused, since a secret can be spelled in more ways than anybody can list.
"""

import re
from urllib.parse import unquote, unquote_plus

ALLOWED_KEYS: dict[str, tuple[str, ...]] = {
    "postgresql": (
        "application_name",
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "gssencmode",
        "host",
        "hostaddr",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "options",
        "port",
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "target_session_attrs",
        "tcp_user_timeout",
        "user",
    ),
    "mysql": ("charset", "ssl_ca", "ssl_cert", "ssl_key"),
    "mssql": ("driver", "Encrypt", "TrustServerCertificate"),
    "sqlite": ("cache", "check_same_thread", "immutable", "mode", "nolock", "timeout", "uri"),
    "http": (),
    "https": (),
    "databricks": (),
    "s3": ("region", "scheme", "endpoint_override"),
    "gs": ("scheme", "endpoint_override", "anonymous"),
}
"""By scheme: the keys that may stand behind the `?` of an address, spelled like this. None of them takes a secret."""

DATABASES = ("postgresql", "mysql", "mssql")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)(\+\w+)?://")
_HOST = r"([\w.-]*|\[[0-9A-Fa-f:.]+\])"
_PORT = r"(:\d{1,5})?"
_VALUES = {
    "host": r"[\w./:,\[\]-]*",
    "user": r"[^:@/?#]*",
    "endpoint_override": rf"(https?://)?{_HOST}{_PORT}/?",
}
_USER = r"([^:@/?#\s\x00-\x1f\x7f]*@)?"
_DATABASE = re.compile(rf"{_USER}{_HOST}{_PORT}(/[^/?#@;=\s\x00-\x1f\x7f\\]*)?")
_SERVER = re.compile(rf"{_HOST}{_PORT}(/[^?#@;\s\x00-\x1f\x7f\\]*)?")
_FILE = re.compile(r"[^?]*")
_BUCKET = re.compile(r"[\w.-]+(/[^?#]*)?")
_PROFILE = re.compile(r"[\w.-]*(:[\w.-]+)?/?")
_PLAIN_KEY = re.compile(r"[A-Za-z_]{1,30}")
_PASSWORD = re.compile(r"(postgres(?:ql)?(?:\+\w+)?://[^:@/?]*):.*@")  # up to the last @: passwords hold anything
_USER_INFO = re.compile(
    r"([a-z][a-z0-9+.-]*:/{1,2})[^/\s@:]*?(:|%3a)(?!\d+(/|$))\S*@|((https?|ftp|s3|gs):/{1,2})[^/\s@]+@", re.IGNORECASE
)
_OPTION = re.compile(r"(?<=[?&])([^=&\s]+)=[^&\s]*&?")
_SECRETS = ("pass", "pwd", "secret", "token", "odbc_connect", "access_key", "credential")


def secret_problem(address: str) -> str | None:
    """Why an address with a scheme of `ALLOWED_KEYS` may hold a secret; None if it has the form of one without.

    The text is a rule that follows the key. It never holds the address, nor a part that may be a secret.
    """
    match = _SCHEME.match(address)
    scheme = match[1] if match else ""
    if match is None or scheme not in ALLOWED_KEYS:
        return None
    rest, question, query = address[match.end() :].partition("?")
    host = rest.partition("/")[0]
    if scheme in DATABASES:
        form, right = _DATABASE, f"{scheme}://USER@HOST:PORT/DATABASE"
        wrong = "@" in rest and ":" in unquote(rest.partition("@")[0])
    elif scheme in ("http", "https"):
        form, right, wrong = _SERVER, f"{scheme}://HOST:PORT", "@" in address
    elif scheme == "databricks":
        form, right, wrong = _PROFILE, "databricks://PROFILE", "@" in address
    elif scheme == "sqlite":
        form, right, wrong = _FILE, "sqlite:///FILE", "@" in host
    else:
        form, right, wrong = _BUCKET, f"{scheme}://BUCKET/FOLDER", "@" in host or ":" in host
    if wrong or not form.fullmatch(rest):
        return f"must hold no password, token or key, and have the form {right}"
    return _query_problem(scheme, query) if question else None


def _query_problem(scheme: str, query: str) -> str | None:
    allowed = ALLOWED_KEYS[scheme]
    listed = f"may have {', '.join(allowed)} after the `?`" if allowed else "must have nothing after a `?`"
    for pair in query.split("&"):
        key, equals, value = pair.partition("=")
        if key not in allowed:
            return f"must hold no password, and {listed}, but has {shown_key(key) if equals else 'something else'}"
        if not re.fullmatch(_VALUES.get(key, r"[^@#;]*"), unquote_plus(value)):
            return f"must hold no password, but its option {key!r} has a value that may hold one"
    return None


def shown_key(key: str) -> str:
    """A key of an address for a message; what is no plain word may be a part of a password itself."""
    return repr(key) if _PLAIN_KEY.fullmatch(key) else "an option that is not shown"


def holds_password(text: str) -> bool:
    """Whether a value of any kind looks like an address with a password or a token: `s3://key:secret@bucket`.

    A path that was made of an address has lost a slash: `s3:/key:secret@bucket`.
    """
    return ":/" in text and _USER_INFO.search(text) is not None


def shown_address(address: str) -> str:
    """An address for a message if nothing in it could belong to a password, else words in its place."""
    if holds_password(address) or re.search(r"[@?#;=\s]", address):
        return "one that is not shown, since it may hold a password"
    return repr(address)


def without_secrets(text: str) -> str:
    """A text without the passwords, tokens and keys of the addresses in it, however they are spelled."""
    if ":/" not in text:
        return text
    plain = _USER_INFO.sub(lambda match: match[1] or match[4], _PASSWORD.sub(r"\1@", text))
    return _OPTION.sub(_without_secret, plain).rstrip("?&")


def _without_secret(option: re.Match[str]) -> str:
    key = unquote_plus(option[1]).lower()
    return "" if any(word in key for word in _SECRETS) else option[0]
