"""How PostgreSQL's client may be asked for a password: not in clear text, unless the connection is encrypted.

A server asks as it likes, so whoever answers in its place would be told the password.
"""

import os
from urllib.parse import parse_qs, urlsplit

REQUIRE_AUTH = "!password,!md5"
"""For libpq: neither in clear text nor as a digest of MD5, so by SCRAM, by Kerberos, or no password at all."""

_ENCRYPTED = ("require", "verify-ca", "verify-full")


def encryption_of(address: str) -> str | None:
    """The `sslmode` of an address, or of the environment, that encrypts for sure; None if there is none."""
    stated = parse_qs(urlsplit(address).query).get("sslmode", [os.environ.get("PGSSLMODE", "")])
    return stated[-1] if stated[-1] in _ENCRYPTED else None


def keep_to_rule(address: str) -> None:
    """Has every later connection of this process to PostgreSQL keep to the rule, which MLflow makes by itself."""
    if address.startswith("postgresql") and encryption_of(address) is None:
        os.environ.setdefault("PGREQUIREAUTH", REQUIRE_AUTH)
