"""A password in a database's address is used, and shown nowhere."""

import pickle

import pytest
import yaml

from antisample.errors import ConfigError
from tuning.database import engine_arguments
from tuning.database_address import without_password
from tuning.study_file import parse_study


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://me:secret@host:5432/db", "postgresql://me@host:5432/db"),
        (
            "postgresql+psycopg://me:se:c/r@e?t@host/db?sslmode=require",
            "postgresql+psycopg://me@host/db?sslmode=require",
        ),
        (
            "postgresql://host/db?user=me&password=secret&sslmode=require",
            "postgresql://host/db?user=me&sslmode=require",
        ),
        ("postgresql://host/db?password=secret", "postgresql://host/db"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("--set=storage=postgresql://me:secret@host/db", "--set=storage=postgresql://me@host/db"),
        ("name=a:b@c", "name=a:b@c"),
    ],
)
def test_no_password_is_shown(address, shown):
    assert without_password(address) == shown


@pytest.mark.parametrize("bad", ["mysql://me:secret@host/db", "postgresql://me:secret@host", "me:secret@host", ""])
def test_another_address_is_refused_without_showing_it(values, bad):
    with pytest.raises(ConfigError, match="`storage` must be the address of a PostgreSQL database") as caught:
        parse_study({**values, "storage": bad})
    assert "secret" not in str(caught.value)


def test_a_study_shows_its_password_to_nobody_and_uses_it(values):
    config = parse_study({**values, "storage": "postgresql://me:secret@host/db"})
    assert "secret" not in config.to_yaml() + repr(config) + str(config)
    assert yaml.safe_load(config.to_yaml())["storage"] == "postgresql://me@host/db"
    url, _ = engine_arguments(config.storage)
    assert (url.password, url.drivername) == ("secret", "postgresql+psycopg")
    assert b"secret" not in pickle.dumps(config.model_copy(update={"storage": None}))
