"""A database's address holds no password, and none that stands in it is shown."""

import pickle

import pytest
import yaml

from antisample.errors import ConfigError
from antisample.validation.addresses import without_secrets
from tuning.config.loading import parse_study
from tuning.study.storage.connection import engine_arguments

PLACES = {
    "postgresql://me@host:5432/db": {},
    "postgresql+psycopg://host/db?sslmode=require&application_name=mine": {},
    "postgresql:///db?host=/var/run/postgresql&user=me": {},
    "postgresql://me@[::1]:5432/db": {},
}
WITH_A_PASSWORD = [
    "postgresql://me:secret@host/db",
    "postgresql://:secret@host/db",
    "postgresql://me%3Asecret@host/db",
    "postgresql://me:12/3secret@host/db",
    "postgresql://me:se/cretsecret@host/db",
    "postgresql://me:secret#x@host/db",
    "postgresql://me:secret?x=y@host/db",
    "postgresql://me:a@secret@host/db",
    "postgresql://me@host/db@secret",
    "postgresql://me@host/db#secret",
    "postgresql://me@host/dbname=x;password=secret",
    "postgresql://me@host/db?password=secret",
    "postgresql://me@host/db?PASSWORD=secret",
    "postgresql://me@host/db?passwd=secret",
    "postgresql://me@host/db?pwd=secret",
    "postgresql://me@host/db?sslmode=require&sslpassword=secret",
    "postgresql://me@host/db?p%61ssword=secret",
    "postgresql://me@host/db?%70assword=secret",
    "postgresql://me@host/db?pass+word=secret",
    "postgresql://me@host/db?user=me:secret",
    "postgresql://me@host/db?host=me:secret@host",
    "postgresql://me@host/db?secret",
    "postgresql://me@host/db?secret=",
    "postgresql://me@host/db?sslmode=require;password=secret",
    "postgresql://me@host/db?odbc_connect=PWD%3Dsecret",
    "postgresql://me@host/db?passfile=secret",
    "postgresql://me@host/db?service=secret",
    "postgresql://me@host/db?require_auth=secret",
]


@pytest.mark.parametrize("address", PLACES)
def test_addresses_without_a_password_are_taken(values, address):
    assert parse_study({**values, "storage": address}).storage == address


@pytest.mark.parametrize("address", WITH_A_PASSWORD)
def test_a_password_is_refused_in_every_spelling_and_not_shown(values, address):
    with pytest.raises(ConfigError, match="`storage` must hold no password") as caught:
        parse_study({**values, "storage": address})
    plain = str(caught.value).replace("'secret'", "")  # a key that is a word
    assert "secret" not in plain
    assert "~/.pgpass" in plain


@pytest.mark.parametrize(
    "address", [WITH_A_PASSWORD[0], WITH_A_PASSWORD[4], WITH_A_PASSWORD[12], WITH_A_PASSWORD[16]]
)
def test_the_command_line_shows_no_password_either(address, call, small_study, study_of):
    for words in (
        ["report", study_of, "--storage", address],
        ["run", study_of / "study.yaml", "--set", f"storage={address}"],
    ):
        code, out, err = call(*words)
        assert code == 2
        assert "secret" not in out + err


@pytest.fixture
def study_of(small_study):
    """The folder of a study that names a database."""
    path = small_study.config.directory / "study.yaml"
    values = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**values, "storage": "postgresql://me@127.0.0.1:1/db"}))
    return small_study.config.directory


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
        ("postgresql://host/db?PassWord=secret", "postgresql://host/db"),
        ("postgresql://host/db?p%61ssword=secret", "postgresql://host/db"),
        ("mysql://me:secret@host/db", "mysql://host/db"),
        ("http://secret@host:5000", "http://host:5000"),
        ("data: s3:/key:sec/ret@bucket/f is missing", "data: s3:/bucket/f is missing"),
        ("s3://bucket/f?region=x&access_key=secret", "s3://bucket/f?region=x"),
        ("http://host:5000/a@b", "http://host:5000/a@b"),
        ("postgresql://me@host/db", "postgresql://me@host/db"),
        ("--set=storage=postgresql://me:secret@host/db", "--set=storage=postgresql://me@host/db"),
        ("name=a:b@c", "name=a:b@c"),
    ],
)
def test_no_password_is_shown(address, shown):
    assert without_secrets(address) == shown


@pytest.mark.parametrize(
    "bad",
    ["mysql://me:secret@host/db", "postgresql://me:secret@host", "POSTGRESQL://me:secret@h/d", "me:secret@host", ""],
)
def test_another_address_is_refused_without_showing_it(values, bad):
    with pytest.raises(ConfigError, match="`storage` must ") as caught:
        parse_study({**values, "storage": bad})
    assert "secret" not in str(caught.value)


def test_the_address_stays_with_the_driver(values):
    config = parse_study({**values, "storage": "postgresql://me@host/db"})
    assert yaml.safe_load(config.to_yaml())["storage"] == "postgresql://me@host/db"
    url, _ = engine_arguments(config.storage)
    assert (url.username, url.drivername) == ("me", "postgresql+psycopg")
    assert b"me@host" not in pickle.dumps(config.for_workers())


KEYS_WITH_PATHS = [
    {"data": {"source": "s3://key:secret@bucket/images"}},
    {"data": {"source": "digits", "root": "https://secret@host/data"}},
    {"data": {"source": "digits", "cache_dir": "s3://key:secret@bucket/cache"}},
    {"data": {"source": "digits", "cache_dir": "s3://secret@bucket/cache"}},
    {"data": {"source": "digits", "cache_dir": "s3://bucket/cache?endpoint_override=http://me:secret@host:9000"}},
    {"data": {"source": "digits", "cache_dir": "s3://bucket/cache?endpoint_override=secret@host"}},
    {"data": {"source": "digits", "cache_dir": "s3://bucket/cache?secret_key=secretvalue"}},
    {"data": {"source": "digits", "cache_dir": "s3://bucket/cache?access_key=a&region=secretvalue@x"}},
    {"storage_path": "gs://me:secret@bucket/x"},
    {"storage_path": "s3://key:sec/ret/secret@bucket"},
    {"storage_path": "s3://bucket/x?Endpoint_Override=http://me:secret@host"},
    {"runs_dir": "sftp://me:secret@host/runs"},
    {"model": {"name": "SmallCNN", "checkpoint": "https://me:secret@host/weights.pt"}},
    {"model": {"name": "SmallCNN", "initial_weights": "https://secret@host/weights.pt"}},
    {"space": "https://me:secret@host/space.yaml"},
]


@pytest.mark.parametrize("changes", KEYS_WITH_PATHS, ids=str)
def test_no_key_takes_an_address_with_a_secret(values, changes):
    with pytest.raises(ConfigError, match=r"must hold no |must not contain |unknown option") as caught:
        parse_study({**values, **changes})
    assert "secret" not in str(caught.value).replace("'secret_key'", "")
