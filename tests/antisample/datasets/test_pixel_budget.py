"""Images that unfold from little to much; all of them are real files."""

import io
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from antisample.datasets.pixel_budget import PixelBudget
from antisample.datasets.pixels import EncodedImage, decode_images
from antisample.errors import DataError


@pytest.fixture
def peak_memory(monkeypatch):
    """How far the process's memory rises within a block, in bytes; each image is work of its own."""
    monkeypatch.setattr("antisample.datasets.pixels._CHUNK", 1)

    def status(key):
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
        return 1024 * int(line.split()[1])

    @contextmanager
    def peak():
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = status("VmRSS:")
        yield lambda: status("VmHWM:") - before

    return peak


def encoded(width, height, form="PNG", name="x"):
    stream = io.BytesIO()
    Image.new("L", (width, height)).save(stream, form)
    return EncodedImage(name, stream.getvalue())


@pytest.mark.parametrize(("size", "form"), [((8200, 8200), "PNG"), ((2**26 + 1, 1), "PNG"), ((12000, 12000), "GIF")])
def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(size, form, peak_memory):
    image = encoded(*size, form)
    with peak_memory() as taken, pytest.raises(DataError, match=f"but has {size[0]:,} x {size[1]:,}"):
        decode_images([image], 32)
    assert taken() < 50 * 2**20


def test_a_set_that_unfolds_from_next_to_nothing_is_refused_before_it_fills_the_memory(peak_memory):
    image = encoded(8000, 8000)
    with peak_memory() as taken, pytest.raises(DataError, match=r"expand to 1\.1 GiB"):
        decode_images(30 * [image], 32)
    assert taken() < 800 * 2**20


def test_large_photographs_are_decoded_one_at_a_time(peak_memory):
    noise = np.random.default_rng(0).integers(0, 255, (4000, 4000), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG", quality=30)
    with peak_memory() as taken:
        arrays = decode_images(6 * [EncodedImage("photo", stream.getvalue())], 32)
    assert [array.shape for array in arrays] == 6 * [(1, 32, 32)]
    assert taken() < 150 * 2**20


def test_small_drawings_may_compress_as_they_like():
    budget = PixelBudget()
    for _ in range(50_000):
        with budget.spent("x", (28, 28), 300):
            pass
