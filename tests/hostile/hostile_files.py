"""Weights, images and tables that are damaged, or made to take memory, time or control."""

import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hostile_kinds import TEXTS
from hostile_runs import Item
from hostile_template import RECIPE
from PIL import Image


class _Runs:
    def __reduce__(self):
        return os.system, ("touch imported",)


class _Imports:
    def __reduce__(self):
        return __import__, ("canary_module",)


def _header(values: object, data: bytes = b"") -> bytes:
    text = json.dumps(values).encode()
    return len(text).to_bytes(8, "little") + text + data


def _tensor(shape: list, offsets: list[int], dtype: str = "F32") -> dict:
    return {"conv1.weight": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


def _saved(value: object) -> bytes:
    packed = io.BytesIO()
    torch.save(value, packed)
    return packed.getvalue()


def _archive(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _weights() -> dict[str, Callable[[], bytes]]:
    strided = torch.zeros(1).expand(10**9)
    good = _saved({"w": torch.zeros(3)})
    return {
        "a pickle": lambda: pickle.dumps(_Runs()),
        "a pickle of protocol 2": lambda: pickle.dumps(_Runs(), protocol=2),
        "a pickle that imports": lambda: pickle.dumps(_Imports(), protocol=2),
        "a pickle in an archive": lambda: _archive(
            {"x/data.pkl": pickle.dumps(_Runs(), protocol=2), "x/version": b"3\n"}
        ),
        "objects in a torch file": lambda: _saved({"w": _Runs()}),
        "objects in an old torch file": lambda: _old(_Runs()),
        "an archive cut short": lambda: good[: len(good) // 2],
        "an archive with a flipped bit": lambda: good[:200] + bytes([good[200] ^ 1]) + good[201:],
        "an expanded tensor": lambda: _saved({"conv1.weight": strided}),
        "a deep pickle": lambda: b"\x80\x02" + b"]" * 100_000 + b".",
        "a pickle of many numbers": lambda: b"\x80\x02" + b"K\x01" * 100_000 + b".",
        "memo of 2^31": lambda: _archive({"x/data.pkl": b"\x80\x02]r\xff\xff\xff\x7f.", "x/version": b"3\n"}),
        "a text of 2^31 letters": lambda: _archive(
            {"x/data.pkl": b"\x80\x02X\xff\xff\xff\x7f.", "x/version": b"3\n"}
        ),
        "a ZIP bomb": lambda: _archive({"x/data.pkl": bytes(1 << 30), "x/version": b"3\n"}),
        "a ZIP bomb beside": lambda: _archive(
            {"x/data.pkl": b"\x80\x02}.", "x/data/0": bytes(1 << 30), "x/version": b"3\n"}
        ),
        "a header of 2^63": lambda: b"\xff" * 7 + b"\x7f" + b"{}",
        "a header of 2^64": lambda: b"\xff" * 8 + b"{}",
        "a header of 100 MB": lambda: (100_000_000).to_bytes(8, "little") + b"{" + b" " * 99_999_998 + b"}",
        "a header beyond the file": lambda: (99_999_999).to_bytes(8, "little") + b"{}",
        "a header of nested lists": lambda: (200_000).to_bytes(8, "little") + b'{"a":' + b"[" * 199_995,
        "an empty header": lambda: _header({}),
        "a shape that overflows": lambda: _header(_tensor([2**62, 2**62], [0, 4]), bytes(4)),
        "a shape of 2^40": lambda: _header(_tensor([2**40], [0, 2**42]), bytes(4)),
        "a shape with zeros": lambda: _header(_tensor([0, 2**62], [0, 0])),
        "a negative shape": lambda: _header(_tensor([-1], [0, 4]), bytes(4)),
        "offsets that cross": lambda: _header(_tensor([1], [8, 4]), bytes(8)),
        "offsets beyond the end": lambda: _header(_tensor([1], [4, 8]), bytes(4)),
        "an unknown type": lambda: _header(_tensor([1], [0, 4], "X99"), bytes(4)),
        "names that act": lambda: _header({"\x1b[31mred\u202e[/b]": _tensor([1], [0, 4])["conv1.weight"]}, bytes(4)),
        "metadata that act": lambda: _header(
            {"__metadata__": {"mean": "\x1b[31m", "std": "\u202e"}, **_tensor([1], [0, 4])}, bytes(4)
        ),
        "metadata of deep lists": lambda: _header(
            {"__metadata__": {"mean": "[" * 100_000, "std": "1"}, **_tensor([1], [0, 4])}, bytes(4)
        ),
        "metadata of long numbers": lambda: _header(
            {"__metadata__": {"mean": "[1" + "0" * 9000 + "]", "std": "[1]"}, **_tensor([1], [0, 4])}, bytes(4)
        ),
        "a tar archive of zeros": lambda: bytes(257) + b"ustar\x0000" + bytes(2000),
        "an ONNX model that ends": lambda: b"\x08\x07\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    }


def _old(value: object) -> bytes:
    packed = io.BytesIO()
    torch.save({"w": value}, packed, _use_new_zipfile_serialization=False)
    return packed.getvalue()


def checkpoint_items(alone: tuple[str, ...]) -> Iterator[Item]:
    """Files of weights given to `unlearn`, and as the model of a card."""
    for place, (name, content) in enumerate(_weights().items()):
        for suffix in (".safetensors", ".pt"):
            words = (*alone, "--checkpoint", f"weights{suffix}")
            make = partial(_put, f"weights{suffix}", content)
            is_quick = suffix == ".pt" and place % 3 == 0
            yield Item(f"unlearn: weights{suffix} are {name}", words, make, (2,), is_quick)
        make = partial(_put, "card/model.safetensors", content)
        yield Item(f"verify: the model is {name}", ("verify", "card/card.json"), make, (1, 2))
    words = ("run", "study.yaml", "--set", "model.checkpoint=weights.pt", "--set", "device=cuda:999")
    yield Item(
        "run: weights.pt run code", words, partial(_put, "weights.pt", lambda: pickle.dumps(_Runs())), (2,), True
    )


def _put(name: str, content: Callable[[], bytes], work: Path) -> None:
    (work / name).write_bytes(content())


def _png(width: int, height: int, rows: bytes | None = None) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = zlib.compress(rows if rows is not None else bytes((width * 3 + 1) * min(height, 100)), 9)
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _packed(kind: str, size: int) -> bytes:
    packed = io.BytesIO()
    Image.new("RGB" if kind != "GIF" else "P", (size, size)).save(packed, kind)
    return packed.getvalue()


def _images() -> dict[str, Callable[[], bytes]]:
    good = _png(8, 8)
    return {
        "20,000 by 20,000 pixels": lambda: _png(20_000, 20_000),
        "2^31 by 2^31 pixels": lambda: _png(2**31 - 1, 2**31 - 1, b""),
        "0 by 0 pixels": lambda: _png(0, 0, b""),
        "a chunk of 1 GB": lambda: good[:33] + zlib.compress(bytes(10**6))[:50],
        "cut short": lambda: good[:50],
        "8,000 by 8,000 pixels, whole": lambda: _packed("PNG", 8000),
        "a GIF of 9,000 by 9,000": lambda: _packed("GIF", 9000),
        "a JPEG of 9,000 by 9,000": lambda: _packed("JPEG", 9000),
        "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(imported) (w) file closefile\n",
        "text": lambda: b"no image\n",
        "empty": lambda: b"",
    }


def data_items() -> Iterator[Item]:
    """Folders of images and Parquet files that harm whoever reads them."""
    words = ("unlearn", "--dataset", "./images", "--model", "SmallCNN", "--forget", "cat", *RECIPE, "--out", "out")
    words = (*words, "--set", "data.cache_dir=out/cache", "--set", "data.image_size=8", "--accept-original")
    for name, content in _images().items():
        is_quick = "by" not in name or name.startswith("2^31")
        yield Item(
            f"unlearn: an image of {name}", words, partial(_put, "images/cat/0.png", content), is_quick=is_quick
        )
        yield Item(f"unlearn: 20 images of {name}", words, partial(_many, content))
    for kind in ("fifo", "zero", "passwd", "itself", "parent", "socket"):
        yield Item(
            f"unlearn: an image is a {kind}", words, partial(_odd_image, kind), is_quick=kind in ("fifo", "zero")
        )
    for name, text in TEXTS.items():
        if "\0" in text or "/" in text or not text or len(text) > 200:
            continue
        yield Item(f"unlearn: a class is named {name}", words, partial(_class, text), is_quick=True)
    words = tuple(word.replace("./images", "./table") for word in words)
    for name, content in _tables().items():
        yield Item(f"unlearn: Parquet with {name}", words, partial(_table, content), is_quick="escapes" not in name)
    for name, content in _tables().items():
        ids = ("unlearn", "--dataset", "digits", "--model", "SmallCNN", *RECIPE, "--out", "out")
        ids = (*ids, "--forget-samples", "ids.parquet")
        yield Item(f"unlearn: ids from Parquet with {name}", ids, partial(_put, "ids.parquet", content))


def _many(content: Callable[[], bytes], work: Path) -> None:
    image = content()
    for number in range(20):
        (work / "images" / "cat" / f"more-{number}.png").write_bytes(image)


def _class(text: str, work: Path) -> None:
    (work / "images" / "dog").rename(work / "images" / text)


def _odd_image(kind: str, work: Path) -> None:
    path = work / "images" / "cat" / "odd.png"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, 0o600 | 0o140000)
    else:
        path.symlink_to({"zero": "/dev/zero", "passwd": "/etc/passwd", "itself": "odd.png", "parent": ".."}[kind])


def _tables() -> dict[str, Callable[[], bytes]]:
    image = {"bytes": _png(8, 8), "path": "x.png"}
    good = _parquet({"image": [image] * 8, "label": [0, 1] * 4})
    return {
        "a damaged footer": lambda: good[:-20] + b"\xff" * 12 + good[-8:],
        "a footer of 2^31": lambda: good[:-8] + b"\xff\xff\xff\x7fPAR1",
        "a footer of 0": lambda: good[:-8] + bytes(4) + b"PAR1",
        "a damaged page": lambda: good[:30] + bytes(40) + good[70:],
        "half of it": lambda: good[: len(good) // 2],
        "nothing but its name": lambda: b"PAR1PAR1",
        "images that are text": lambda: _parquet({"image": ["\x1b[31m"] * 8, "label": [0, 1] * 4}),
        "images of 20,000 by 20,000": lambda: _parquet(
            {"image": [{"bytes": _png(20_000, 20_000), "path": ""}] * 8, "label": [0, 1] * 4}
        ),
        "labels that are infinite": lambda: _parquet({"image": [image] * 8, "label": [float("inf")] * 8}),
        "labels of 2^62": lambda: _parquet({"image": [image] * 8, "label": [2**62] * 8}),
        "labels that are lists": lambda: _parquet({"image": [image] * 8, "label": [[1]] * 8}),
        "a billion zeros": lambda: _parquet(
            {"label": pa.array(bytearray(10**8), pa.uint8()), "image": pa.nulls(10**8)}
        ),
        "columns with escapes": lambda: _parquet({"\x1b[31m": [1] * 8, "\u202e[/b]": [1] * 8}),
    }


def _parquet(columns: dict) -> bytes:
    packed = io.BytesIO()
    pq.write_table(pa.table(columns), packed, compression="zstd")
    return packed.getvalue()


def _table(content: Callable[[], bytes], work: Path) -> None:
    (work / "table").mkdir()
    (work / "table" / "train.parquet").write_bytes(content())
