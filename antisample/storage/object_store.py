"""Files in an object store, through the file systems of Arrow: Amazon S3 and what speaks its language, Google Cloud.

Credentials come from where the providers' own programs find them (environment, configuration file, role of the
machine), never from an address: addresses are shown.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pyarrow
import pyarrow.fs

from antisample.errors import ConfigError, StorageError
from antisample.storage.atomic import atomic_write
from antisample.validation.addresses import ALLOWED_KEYS, secret_problem, shown_key

_SCHEMES = ("s3", "gs")
_CHUNK_BYTES = 8 << 20
_T = TypeVar("_T")
_ATTEMPTS = 8
"""Of a request to S3 that meets no server or an overloaded one: with the pauses between them, about a minute."""


@dataclass(frozen=True)
class Address:
    """The parts of `SCHEME://BUCKET/FOLDER?OPTION=VALUE`.

    Attributes:
        scheme: `s3` or `gs`.
        path: Bucket and folder, as Arrow names them.
        options: By name: `endpoint_override` (HOST:PORT of a server that is not the provider's own), `scheme` (`http`
            or `https`), `region` (s3), `anonymous` (gs; `true` for no credentials at all).
        url: The address without options.
    """

    scheme: str
    path: str
    options: dict[str, str]
    url: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Reads an address.

        Raises:
            ConfigError: With every problem; what may be a credential is not shown.
        """
        parts = urlsplit(text)
        if parts.scheme not in _SCHEMES:
            raise ConfigError(
                f"must begin with {' or '.join(f'{s}://' for s in _SCHEMES)}, but got {parts.scheme}://."
            )
        options, allowed = dict(parse_qsl(parts.query, keep_blank_values=True)), ALLOWED_KEYS[parts.scheme]
        problems = [
            f"has an unknown option {shown_key(name)}; it may have {', '.join(allowed)}."
            for name in options
            if name not in allowed
        ]
        if not problems and parts.netloc and not parts.fragment and secret_problem(text) is not None:
            raise ConfigError(
                "must not contain credentials, since addresses are displayed; they are taken from the environment or "
                "from the role of the machine."
            )
        if not parts.netloc or parts.fragment:
            problems.append(f"must be {parts.scheme}://BUCKET/FOLDER, with options after a `?`.")
        if options.get("scheme", "https") not in ("http", "https"):
            problems.append(f"must have the option scheme=http or scheme=https, but got {options['scheme']!r}.")
        if problems:
            raise ConfigError(problems)
        path = "/".join([parts.netloc, *(part for part in parts.path.split("/") if part)])
        return cls(parts.scheme, path, options, f"{parts.scheme}://{path}")

    def file_system(self, attempts: int) -> Any:
        """Arrow's file system; nothing is contacted yet."""
        if self.scheme == "s3":
            retry = pyarrow.fs.AwsStandardS3RetryStrategy(max_attempts=attempts)
            return pyarrow.fs.S3FileSystem(**self.options, retry_strategy=retry)
        options = {name: value for name, value in self.options.items() if name != "anonymous"}
        anonymous = self.options.get("anonymous") == "true"
        limit = timedelta(seconds=2**attempts / 4)
        return pyarrow.fs.GcsFileSystem(**options, anonymous=anonymous, retry_time_limit=limit)


class ObjectStore:
    """See `FileStore`. An object becomes visible when all of it has arrived.

    Args:
        address: See `Address`.
        attempts: Tries of a request that meets no server or an overloaded one.
    """

    def __init__(self, address: str, attempts: int = _ATTEMPTS) -> None:
        self._address, self._attempts = Address.parse(address), attempts
        self.address = self._address.url

    @cached_property
    def _files(self) -> Any:
        with self._reached():
            return self._address.file_system(self._attempts)

    def read(self, name: str) -> bytes | None:
        """See `FileStore`."""

        def content() -> bytes:
            with self._files.open_input_file(self._path(name)) as file:
                return bytes(file.read())

        return self._if_there(content)

    def write(self, name: str, content: bytes | pyarrow.Buffer) -> None:
        """See `FileStore`."""
        with self._reached(), self._files.open_output_stream(self._path(name)) as file:
            file.write(content)

    def delete(self, name: str) -> None:
        """See `FileStore`."""
        self._if_there(lambda: self._files.delete_file(self._path(name)))

    def names(self, folder: str) -> list[str]:
        """See `FileStore`."""
        place = pyarrow.fs.FileSelector(self._path(folder), allow_not_found=True)
        with self._reached():
            return sorted(info.base_name for info in self._files.get_file_info(place) if info.is_file)

    def download(self, name: str, path: Path) -> bool:
        """Copies a file to a local path in one step; False if there is none."""
        source = self._if_there(lambda: self._files.open_input_stream(self._path(name)))
        if source is None:
            return False
        with source, atomic_write(path) as unfinished, unfinished.open("wb") as target:
            while chunk := self._next(source):
                target.write(chunk)
        return True

    def upload(self, path: Path, name: str) -> None:
        """Copies a local file into the store in one step, over an older one."""
        with pyarrow.memory_map(str(path)) as source:
            self.write(name, source.read_buffer())

    def _next(self, source: Any) -> bytes:
        with self._reached():
            return bytes(source.read(_CHUNK_BYTES))

    def _path(self, name: str) -> str:
        return f"{self._address.path}/{name}"

    def _if_there(self, action: Callable[[], _T]) -> _T | None:
        """Does something with a file; None if there is no such file in a bucket that is there."""
        with self._reached():
            try:
                return action()
            except FileNotFoundError:
                bucket = self._address.path.partition("/")[0]
                if self._files.get_file_info(bucket).type == pyarrow.fs.FileType.NotFound:
                    raise StorageError(f"{self.address}: there is no bucket {bucket!r}.") from None
                return None

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageError(f"{self.address}: cannot be used ({' '.join(str(error).split())}).") from error
