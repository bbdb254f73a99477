"""What a file is that was given as weights and is none: called by its name, with the way out."""

import codecs
import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from antisample.storage.regular_files import read_start

_START_BYTES = 4096
SAVE_WEIGHTS = "save the weights with `torch.save(model.state_dict(), path)`"
"""The way out of a torch file that holds more than weights."""
_CONVERT = "load it with the program that wrote it, and save the weights as safetensors or as a torch state dict"

# What files begin with, what they are, and the way out.
_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, such as one written by Keras", _CONVERT),
    (b"GGUF", "a GGUF file, as used by llama.cpp", _CONVERT),
    (b"\x93NUMPY", "a NumPy array (.npy)", _CONVERT),
    (b"PAR1", "a Parquet file", "give the weights file"),
    (b"ptrt", "a TensorRT engine", _CONVERT),
    (b"ftrt", "a TensorRT engine", _CONVERT),
    (b"\x12\x01\x00\x00\x00\x00\x00\x00", "an MXNet file", _CONVERT),
    (b"\x1f\x8b", "a gzip archive", "unpack it"),
    (b"BZh", "a bzip2 archive", "unpack it"),
    (b"\xfd7zXZ\x00", "an xz archive", "unpack it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it"),
    (b"Rar!", "a RAR archive", "unpack it"),
    (b"\x89PNG", "an image", "give the weights file"),
    (b"\xff\xd8\xff", "an image", "give the weights file"),
    (b"%PDF", "a PDF document", "give the weights file"),
    (b"SQLite format 3\x00", "an SQLite database", "give the weights file"),
    (b"\x7fELF", "a program", "give the weights file"),
)

# Names in a ZIP archive, what the archive is then, and the way out; None for a torch file, which holds weights.
_MEMBERS: tuple[tuple[str, str | None, str], ...] = (
    (
        r"(^|/)constants\.pkl$",
        "a TorchScript archive, which contains code",
        f"load it with torch.jit.load and {SAVE_WEIGHTS}",
    ),
    (
        r"(^|/)(archive_format|serialized_exported_program\.json|models/.*\.json)$",
        "a program written by torch.export",
        f"load it with torch.export.load, and {SAVE_WEIGHTS.replace('model', 'program')}",
    ),
    (r"(^|/)\.data/extern_modules$", "a torch.package archive, which contains code", SAVE_WEIGHTS),
    (r"(^|/)data\.pkl$", None, ""),
    (r"^model\.weights\.h5$", "a Keras model", _CONVERT),
    (r"^word/|^xl/|^ppt/", "an office document", "give the weights file"),
    (r"\.npy$", "NumPy arrays (.npz)", _CONVERT),
)


def is_safetensors(path: Path) -> bool:
    """Whether a file begins as safetensors do: the length of a header, and the header, which is JSON."""
    start = _start(path)
    return start[8:9] == b"{" and 2 <= int.from_bytes(start[:8], "little") <= 100_000_000


def foreign_kind(path: Path) -> str | None:
    """Says what a file is that holds no weights which could be read.

    Args:
        path: A file that does not begin as safetensors do.

    Returns:
        What it is and what to do, to follow the path and a colon; None where it may be a file of torch's.

    Raises:
        OSError: If it cannot be read.
    """
    start = _start(path)
    if not start:
        return "is empty."
    for signature, what, way_out in _SIGNATURES:
        if start.startswith(signature):
            return f"is {what}; {way_out}."
    for matches, what, way_out in _KINDS:
        if matches(path, start):
            return f"is {what}; {way_out}."
    if zipfile.is_zipfile(path):
        return _zip(path)
    if tarfile.is_tarfile(path):
        return f"is a tar archive; unpack it, or, if torch wrote it before 2018, load it there and {SAVE_WEIGHTS}."
    return _text(start)


def _start(path: Path) -> bytes:
    return read_start(path, _START_BYTES)


def _zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return None
    for pattern, what, way_out in _MEMBERS:
        if any(re.search(pattern, name) for name in names):
            return None if what is None else f"is {what}; {way_out}."
    inside = ", ".join(names[:3]) or "nothing"
    return f"is a ZIP archive of {inside}{' and more' if len(names) > 3 else ''}; unpack it and give the weights."


def _text(start: bytes) -> str | None:
    """What a text says about itself; None if it is none."""
    try:
        # Incrementally, since the last character may be cut.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start, len(start) < _START_BYTES).strip()
    except UnicodeDecodeError:
        return None
    if any(not (character.isprintable() or character.isspace()) for character in text):
        return None
    if text[:1] in ("{", "["):
        if '"weight_map"' in text:
            parts = dict.fromkeys(re.findall(r'"([^"]+\.(?:safetensors|bin))"', text))
            files = ", ".join(parts) or "several files"
            return f"is the index of weights that are spread over {files}; join them in one file."
        return "is a JSON text; give the weights file."
    return f"is a text that begins with {text[:40]!r}; give the weights file."


def _is_lfs(path: Path, start: bytes) -> bool:
    del path
    return start.startswith((b"version https://git-lfs", b"version https://hawser"))


def _is_html(path: Path, start: bytes) -> bool:
    del path
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return text.startswith((b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body"))


def _is_hdf5(path: Path, start: bytes) -> bool:
    del path
    return any(start[offset : offset + 8] == b"\x89HDF\r\n\x1a\n" for offset in (512, 1024, 2048))


def _is_tflite(path: Path, start: bytes) -> bool:
    del path
    return start[4:8] == b"TFL3"


def _is_tensorflow(path: Path, start: bytes) -> bool:
    """A checkpoint of TensorFlow's: its index ends in a magic number, the data beside it are told by their name."""
    del start
    if re.search(r"\.data-\d{5}-of-\d{5}$", path.name):
        return True
    with path.open("rb") as file:
        file.seek(-min(8, path.stat().st_size), 2)
        return file.read() == bytes.fromhex("57fb808b247547db")


def _is_onnx(path: Path, start: bytes) -> bool:
    """Whether the fields of a protocol buffer are those of an ONNX model: a version from 1 to 99, and a graph."""
    if start[:1] != b"\x08" or not 1 <= start[1] < 100:
        return False
    numbers = _protobuf_fields(path)
    return 7 in numbers and numbers <= {*range(1, 9), 14, 20, 25, 26}


def _is_saved_model(path: Path, start: bytes) -> bool:
    return start[:3] == b"\x08\x01\x12" and path.suffix == ".pb"


def _protobuf_fields(path: Path) -> set[int]:
    """Numbers of the outermost fields of a protocol buffer; empty if it is none."""
    numbers: set[int] = set()
    size = path.stat().st_size
    with path.open("rb") as file:

        def varint() -> int:
            value = shift = 0
            while shift < 70:
                byte = file.read(1)
                if not byte:
                    raise ValueError
                value |= (byte[0] & 127) << shift
                if byte[0] < 128:
                    return value
                shift += 7
            raise ValueError

        try:
            while file.tell() < size:
                tag = varint()
                number, kind = tag >> 3, tag & 7
                skipped = {1: 8, 5: 4}.get(kind, 0)
                if kind == 0:
                    varint()
                elif kind == 2:
                    skipped = varint()
                elif not skipped:
                    return set()
                if file.tell() + skipped > size:
                    return set()
                file.seek(skipped, 1)
                numbers.add(number)
        except ValueError:
            return set()
    return numbers


def _is_zeros(path: Path, start: bytes) -> bool:
    del path
    return not start.strip(b"\x00")


_KINDS: tuple[tuple[Callable[[Path, bytes], bool], str, str], ...] = (
    (_is_zeros, "a file that begins with only zeros, as if its copy was interrupted", "copy it again"),
    (_is_lfs, "a Git LFS pointer instead of the file itself", "fetch the file with `git lfs pull`"),
    (_is_html, "a web page", "download the file itself"),
    (_is_hdf5, "an HDF5 file, such as one written by Keras", _CONVERT),
    (_is_tflite, "a TensorFlow Lite model", _CONVERT),
    (_is_onnx, "an ONNX model", "give the torch weights that it was exported from"),
    (_is_saved_model, "a TensorFlow SavedModel", _CONVERT),
    (_is_tensorflow, "a part of a TensorFlow checkpoint", _CONVERT),
)
