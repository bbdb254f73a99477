"""Every source of images, in its real file format: one conformance suite, then what each refuses."""

import io
import json
import pickle
import struct
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
import torchvision.datasets
from PIL import Image

from antisample.datasets import dataset_names, load_dataset
from antisample.datasets.casia_webface import CasiaWebFace
from antisample.errors import ConfigError, DataError
from antisample.testing import DatasetConformance, FileDatasetConformance

N_CLASSES = 10
DIGITS = tuple(str(label) for label in range(N_CLASSES))
COUNTS = {"train": 30, "test": 20}
REAL_CIFAR10 = Path(__file__).parents[3].parent / "shared" / "data" / "cifar10"


def pixels(split: str, *shape: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(len(split)).integers(0, 256, (COUNTS[split], *shape), dtype=np.uint8)


def labels(split: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return (np.arange(COUNTS[split]) % N_CLASSES).astype(np.uint8)


def encoded(image: np.ndarray[Any, Any], image_format: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, image_format)
    return buffer.getvalue()


class OfficialFiles(FileDatasetConformance):
    """For data sets whose files are checked by published MD5 sums; those of small files stand in for them."""

    names = DIGITS

    @pytest.fixture(autouse=True)
    def _official_sums(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch


class TestDigits(DatasetConformance):
    names = DIGITS
    channels = 1

    def source(self, tmp_path: Path, changed: bool) -> tuple[str, Path | None]:  # noqa: ARG002
        return "digits", None

    def test_split_is_stratified_and_scaled(self, load: Any) -> None:
        data = load()
        assert (len(data.train), len(data.test)) == (1437, 360)
        assert np.bincount(data.test.labels).tolist() == pytest.approx([36] * 10, abs=2)
        assert set(np.unique(data.train.images)) == {round(value * 255 / 16) for value in range(17)}


class TestCifar10(OfficialFiles):
    size = 32
    names = tuple("abcdefghij")

    def source(self, tmp_path: Path, changed: bool) -> tuple[str, Path | None]:
        folder = tmp_path / "cifar-10-batches-py"
        folder.mkdir(exist_ok=True)
        train = pixels("train", 3, 32, 32)
        train[0, 0, 0, 0] += changed
        sums = {}
        contents = {
            f"data_batch_{i}": (train[(i - 1) * 6 : i * 6], labels("train")[(i - 1) * 6 : i * 6]) for i in range(1, 6)
        } | {"test_batch": (pixels("test", 3, 32, 32), labels("test"))}
        for name, (images, targets) in contents.items():
            batch = pickle.dumps({"data": images.reshape(len(images), -1), "labels": targets.tolist()})
            sums[name] = write(folder / name, batch)
        meta = write(folder / "batches.meta", pickle.dumps({"label_names": list(self.names)}))
        official = torchvision.datasets.CIFAR10
        self.monkeypatch.setattr(
            official, "train_list", [[f"data_batch_{i}", sums[f"data_batch_{i}"]] for i in range(1, 6)]
        )
        self.monkeypatch.setattr(official, "test_list", [["test_batch", sums["test_batch"]]])
        self.monkeypatch.setattr(official, "meta", {**official.meta, "md5": meta})
        return "cifar10", tmp_path

    def test_pixels_and_labels_are_those_of_the_files(self, load: Any) -> None:
        data = load()
        np.testing.assert_array_equal(data.train.images, pixels("train", 3, 32, 32))
        np.testing.assert_array_equal(data.test.labels, labels("test"))


class TestSvhn(OfficialFiles):
    size = 32

    def source(self, tmp_path: Path, changed: bool) -> tuple[str, Path | None]:
        listed = {}
        for split in COUNTS:
            images = pixels(split, 3, 32, 32)
            images[0, 0, 0, 0] += changed
            targets = labels(split)[:, None]
            buffer = io.BytesIO()
            scipy.io.savemat(
                buffer,
                {
                    "X": images.transpose(2, 3, 1, 0),
                    "y": np.where(targets == 0, 10, targets).astype(np.uint8),
                },
            )
            name = f"{split}_32x32.mat"
            content = b"MATLAB 5.0 MAT-file, without the time of writing".ljust(116) + buffer.getvalue()[116:]
            listed[split] = ["", name, write(tmp_path / name, content)]
        self.monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", listed)
        return "SVHN", tmp_path

    def test_pixels_and_labels_are_those_of_the_files(self, load: Any) -> None:
        data = load()
        np.testing.assert_array_equal(data.train.images, pixels("train", 3, 32, 32))
        np.testing.assert_array_equal(data.test.labels, labels("test"))


class TestMnist(FileDatasetConformance):
    names = DIGITS
    name, folder = "mnist", "MNIST"
    channels = 1
    size = 28

    def source(self, tmp_path: Path, changed: bool) -> tuple[str, Path | None]:
        raw = tmp_path / self.folder / "raw"
        raw.mkdir(parents=True, exist_ok=True)
        for split, prefix in (("train", "train"), ("test", "t10k")):
            images = pixels(split, 28, 28)
            images[0, 0, 0] += changed
            header = struct.pack(">IIII", 0x803, len(images), 28, 28)
            write(raw / f"{prefix}-images-idx3-ubyte", header + images.tobytes())
            header = struct.pack(">II", 0x801, len(images))
            write(raw / f"{prefix}-labels-idx1-ubyte", header + labels(split).tobytes())
        return self.name, tmp_path

    def test_pixels_are_those_of_the_files(self, load: Any) -> None:
        np.testing.assert_array_equal(load().test.images[:, 0], pixels("test", 28, 28))


class TestFashionMnist(TestMnist):
    name, folder = "fashion_mnist", "FashionMNIST"
    names = tuple(torchvision.datasets.FashionMNIST.classes)

    def test_goes_by_its_registered_name(self, load: Any) -> None:
        assert load().name == "fashionMNIST"


class TestImageFolder(FileDatasetConformance):
    names = DIGITS

    def source(self, tmp_path: Path, changed: bool) -> tuple[str, Path | None]:
        return str(write_folder(tmp_path / "faces", changed)), None

    def test_classes_and_files_are_sorted_and_hidden_files_ignored(self, tmp_path: Path, load: Any) -> None:
        for path in ("train/.hidden", "train/3/.DS_Store"):
            write(write_folder(tmp_path / "faces") / path, b"not an image")
        data = load()
        assert data.name == "faces"
        assert data.train.labels.tolist() == sorted(labels("train").tolist())
        np.testing.assert_array_equal(data.train.images[0].transpose(1, 2, 0), pixels("train", 8, 8, 3)[0])


class TestParquet(FileDatasetConformance):
    names = tuple("abcdefghij")

    def source(self, tmp_path: Path, changed: bool) -> tuple[str, Path | None]:
        return str(write_parquet(tmp_path / "set", names=self.names, changed=changed)), None

    def test_pixels_and_labels_are_those_of_the_files(self, load: Any) -> None:
        data = load()
        np.testing.assert_array_equal(data.train.images.transpose(0, 2, 3, 1), pixels("train", 8, 8, 3))
        np.testing.assert_array_equal(data.test.labels, labels("test"))


def write_identities(root: Path, counts: dict[str, int], *, changed: bool = False) -> Path:
    """Writes `root/<identity>/<number>.jpg`, 20 x 16 pixels each, in the layout of CASIA-WebFace."""
    random = np.random.default_rng(5)
    for name, count in counts.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image = random.integers(0, 256, (20, 16, 3), dtype=np.uint8)
            write(root / name / f"{number:03}.jpg", encoded(255 - image if changed else image, "JPEG"))
    return root


class TestCasiaWebFace(FileDatasetConformance):
    size = 64
    names = tuple(f"{number:07}" for number in range(45, 55))

    def source(self, tmp_path: Path, changed: bool) -> tuple[str, Path | None]:
        return "casia-webface", write_identities(tmp_path / "faces", dict.fromkeys(self.names, 5), changed=changed)

    def test_a_fifth_of_each_identity_is_for_testing(self, load: Any) -> None:
        data = load()
        assert np.bincount(data.train.labels).tolist() == [4] * 10
        assert np.bincount(data.test.labels).tolist() == [1] * 10

    def test_the_default_is_64_pixels_and_another_size_is_honoured(self, load: Any) -> None:
        np.testing.assert_array_equal(load().train.images, load(image_size=64).train.images)

    def test_train_and_test_folders_are_the_splits(self, tmp_path: Path) -> None:
        for name, count in (("train", 3), ("test", 2)):
            write_identities(tmp_path / "faces" / name, {"b": count, "a": count}, changed=name == "test")
        data = load_dataset("casia-webface", root=tmp_path / "faces", cache_dir=tmp_path / "cache")
        assert (data.class_names, data.image_size) == (("a", "b"), 64)
        assert data.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert data.test.labels.tolist() == [0, 0, 1, 1]


def listed(root: Path, **options: Any) -> dict[str, set[str]]:
    """Which files of an image folder or of CASIA-WebFace are in which split."""
    return {
        split: {path.relative_to(root).as_posix() for files in by_class.values() for path in files}
        for split, by_class in zip(COUNTS, CasiaWebFace(root, **options).splits(), strict=True)
    }


class TestCasiaWebFaceSplit:
    @pytest.mark.parametrize(("count", "tests"), [(2, 1), (3, 1), (7, 1), (8, 2), (10, 2), (23, 5)])
    def test_both_sides_have_images_of_every_identity(self, tmp_path: Path, count: int, tests: int) -> None:
        parts = listed(write_identities(tmp_path, {"a": count, "b": count}))
        assert not parts["train"] & parts["test"]
        for identity in ("a", "b"):
            found = {split: sum(name.startswith(identity) for name in names) for split, names in parts.items()}
            assert found == {"train": count - tests, "test": tests}

    def test_it_depends_on_names_alone(self, tmp_path: Path) -> None:
        counts = {"0000045": 6, "0000099": 9}
        first = listed(write_identities(tmp_path / "one", counts))
        assert listed(write_identities(tmp_path / "two", dict(reversed(counts.items())), changed=True)) == first
        # Written down, so that another version of any library that moves an image between the splits is noticed.
        assert first["test"] == {"0000045/000.jpg", "0000099/001.jpg", "0000099/007.jpg"}

    def test_identities_with_the_most_images_are_taken_and_of_equals_the_first(self, tmp_path: Path) -> None:
        root = write_identities(tmp_path, {"a": 2, "b": 4, "c": 3, "d": 3, "e": 5})
        parts = listed(root, max_identities=3)
        assert {name[0] for names in parts.values() for name in names} == {"b", "c", "e"}
        assert CasiaWebFace(root, max_identities=3).decode(8).class_names == ("b", "c", "e")
        assert CasiaWebFace(root, max_identities=3).identity() != CasiaWebFace(root, max_identities=4).identity()
        assert CasiaWebFace(root).max_identities == 300

    def test_given_splits_are_limited_alike(self, tmp_path: Path) -> None:
        for split in COUNTS:
            write_identities(tmp_path / split, {"a": 1, "b": 3, "c": 2})
        assert {name.split("/")[1] for name in listed(tmp_path, max_identities=2)["test"]} == {"b", "c"}


class TestCasiaWebFaceRefusals:
    def test_a_root_is_needed_and_must_be_a_folder(self, tmp_path: Path, cache: Path) -> None:
        assert "`data.root` must be the folder that holds one folder of images" in refused("casia-webface", cache)
        assert "must be a folder" in refused("casia-webface", cache, root=tmp_path / "absent")

    @pytest.mark.parametrize("name", ["faces.pkl", "faces.pickle", "faces.pt", "faces.npy", "train.rec", "train.idx"])
    def test_archives_are_refused_with_the_reason_and_the_way_out(
        self, tmp_path: Path, cache: Path, name: str
    ) -> None:
        reason = "MXNet is retired" if name.startswith("train") else "pickles can execute code"
        root = write_identities(tmp_path / "faces", {"a": 3, "b": 3})
        places = [root / name, tmp_path / name] + ([root / "b" / name] if name == "faces.npy" else [])
        for place in places:
            write(place, b"anything")
            message = refused("casia-webface", cache, root=place if place.parent == tmp_path else root)
            assert f"{place}: " in message
            assert reason in message
            assert "in a sandbox you trust, and save each image as `<root>/<identity>/<number>.png`" in message
            place.unlink()

    def test_an_identity_with_one_image(self, tmp_path: Path, cache: Path) -> None:
        root = write_identities(tmp_path / "faces", {"a": 3, "b": 1})
        message = refused("casia-webface", cache, root=root)
        assert f"{root / 'b'}: every identity must have at least 2 images" in message
        assert message.endswith("but got 1.")

    def test_a_loose_file(self, tmp_path: Path, cache: Path) -> None:
        root = write_identities(tmp_path / "faces", {"a": 3, "b": 3})
        write(root / "list.txt", b"a 0")
        assert "list.txt: `faces` must hold one folder per class" in refused("casia-webface", cache, root=root)


def write(path: Path, content: bytes) -> str:
    """Writes a file and returns its MD5 sum; content that is there already keeps its time of change."""
    if not path.is_file() or path.read_bytes() != content:
        path.write_bytes(content)
    return md5(content).hexdigest()


def write_folder(root: Path, changed: bool = False) -> Path:
    for split in COUNTS:
        images = pixels(split, 8, 8, 3)
        images[0, 0, 0, 0] += changed
        for position, (image, label) in enumerate(zip(images, labels(split), strict=True)):
            folder = root / split / str(label)
            folder.mkdir(parents=True, exist_ok=True)
            suffix = ("PNG", "BMP")[position % 2]
            write(folder / f"{position:03}.{suffix.lower()}", encoded(image, suffix))
    return root


def write_parquet(
    root: Path,
    *,
    names: tuple[str, ...] | None = None,
    changed: bool = False,
    image: str = "img",
    label: str = "label",
    rows: dict[int, Any] | None = None,
    row_labels: dict[int, int | None] | None = None,
) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for split in COUNTS:
        images = pixels(split, 8, 8, 3)
        images[0, 0, 0, 0] += changed
        cells: list[Any] = [{"bytes": encoded(one), "path": None} for one in images]
        targets: list[int | None] = labels(split).tolist()
        if split == "train":
            for row, cell in (rows or {}).items():
                cells[row] = cell
            for row, value in (row_labels or {}).items():
                targets[row] = value
        kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        features = {label: {"names": list(names), "_type": "ClassLabel"}} if names else {}
        metadata = {"huggingface": json.dumps({"info": {"features": features}})} if names else None
        schema = pa.schema([(image, kind), (label, pa.int64())], metadata=metadata)
        table = pa.table({image: pa.array(cells, kind), label: pa.array(targets, pa.int64())}, schema=schema)
        buffer = io.BytesIO()
        pq.write_table(table, buffer, row_group_size=7)
        write(root / f"{split}-00000-of-00001.parquet", buffer.getvalue())
    return root


def refused(source: Path | str, cache: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(str(source), cache_dir=cache, **options)
    return str(caught.value)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


class TestNames:
    def test_all_are_listed(self) -> None:
        assert dataset_names() == ("digits", "cifar10", "svhn", "mnist", "fashionMNIST", "casia-webface")

    @pytest.mark.parametrize("name", ["casia-webface", "CASIA_WebFace", "casiawebface", "fashion-mnist", "CIFAR-10"])
    def test_case_hyphens_and_underscores_do_not_matter(self, cache: Path, name: str) -> None:
        assert "`data.root` must be the folder" in refused(name, cache)

    def test_an_unknown_name_lists_the_valid_ones(self, cache: Path) -> None:
        with pytest.raises(ConfigError, match=r"digits, cifar10, svhn, .* the path of a folder, but got 'cifar'"):
            load_dataset("cifar", cache_dir=cache)

    def test_image_size_must_be_positive(self, cache: Path) -> None:
        with pytest.raises(ConfigError, match=r"`data\.image_size` must be at least 1, but got 0"):
            load_dataset("digits", image_size=0, cache_dir=cache)

    def test_a_missing_folder_is_named(self, tmp_path: Path, cache: Path) -> None:
        assert "nothing there" in refused(tmp_path / "absent", cache)

    def test_an_empty_folder_is_refused(self, tmp_path: Path, cache: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert "but got an empty folder" in refused(tmp_path / "empty", cache)

    @pytest.mark.parametrize("name", ["data.pkl", "data.pt", "data.npz"])
    def test_pickles_are_refused(self, tmp_path: Path, cache: Path, name: str) -> None:
        (tmp_path / "set").mkdir()
        write(tmp_path / "set" / name, b"anything")
        for source in (tmp_path / "set", tmp_path / "set" / name):
            message = refused(source, cache)
            assert name in message
            assert "pickles can execute code" in message
            assert "image folder" in message

    def test_a_pickle_among_the_images_is_refused_alike(self, tmp_path: Path, cache: Path) -> None:
        root = write_folder(tmp_path / "set")
        write(root / "train" / "3" / "faces.npy", b"anything")
        message = refused(root, cache)
        assert f"{root / 'train' / '3' / 'faces.npy'}: pickled archives are not read" in message
        assert "convert the data to an image folder" in message


class TestTorchvisionRefusals:
    @pytest.mark.parametrize("name", ["cifar10", "svhn", "mnist", "fashionMNIST"])
    def test_a_root_is_needed(self, cache: Path, name: str) -> None:
        assert "`data.root` must be the folder" in refused(name, cache)

    @pytest.mark.parametrize("name", ["cifar10", "svhn", "mnist", "fashionMNIST"])
    def test_missing_files_name_root_and_remedy(self, tmp_path: Path, cache: Path, name: str) -> None:
        message = refused(name, cache, root=tmp_path)
        assert str(tmp_path) in message
        assert "set `data.download` to true" in message

    def test_a_failed_download_names_root_and_cause(
        self, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
        message = refused("cifar10", cache, root=tmp_path, download=True)
        assert f"could not be downloaded into the root {tmp_path}" in message

    def test_files_that_are_not_the_official_ones_are_never_unpickled(self, tmp_path: Path, cache: Path) -> None:
        class Trap:
            def __reduce__(self) -> Any:
                return Path.touch, (tmp_path / "executed",)

        (tmp_path / "cifar-10-batches-py").mkdir()
        for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta"):
            write(tmp_path / "cifar-10-batches-py" / name, pickle.dumps(Trap()))
        assert "not the official one" in refused("cifar10", cache, root=tmp_path)
        assert not (tmp_path / "executed").exists()

    def test_legacy_pickles_of_mnist_are_refused(self, tmp_path: Path, cache: Path) -> None:
        TestMnist().source(tmp_path, False)
        (tmp_path / "MNIST" / "processed").mkdir()
        write(tmp_path / "MNIST" / "processed" / "training.pt", b"anything")
        assert "pickles can execute code" in refused("mnist", cache, root=tmp_path)

    @pytest.mark.parametrize("content", [b"", b"\x00\x00", struct.pack(">IIII", 0x803, 30, 28, 28) + b"short"])
    def test_a_damaged_idx_file_is_refused(self, tmp_path: Path, cache: Path, content: bytes) -> None:
        TestMnist().source(tmp_path, False)
        write(tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte", content)
        assert "is damaged" in refused("mnist", cache, root=tmp_path)


class TestImageFolderRefusals:
    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return write_folder(tmp_path / "faces")

    @pytest.mark.parametrize(("present", "absent"), [("train", "test"), ("test", "train")])
    def test_a_class_in_one_split_alone(self, root: Path, cache: Path, present: str, absent: str) -> None:
        (root / present / "new").mkdir()
        write(root / present / "new" / "0.png", encoded(pixels("train", 8, 8, 3)[0]))
        assert f"'new' is in {present} and not in {absent}" in refused(root, cache)

    def test_an_empty_class(self, root: Path, cache: Path) -> None:
        for split in COUNTS:
            (root / split / "new").mkdir()
        assert f"{root / 'train' / 'new'}: every class must have at least 1" in refused(root, cache)

    def test_a_missing_split(self, root: Path, cache: Path) -> None:
        (root / "test").rename(root / "tests")
        message = refused(root, cache)
        assert "there is no test split" in message
        assert "--set split.test_fraction=0.2" in message

    def test_a_loose_file(self, root: Path, cache: Path) -> None:
        write(root / "train" / "loose.png", b"")
        assert "loose.png: `train` must hold one folder per class" in refused(root, cache)

    @pytest.mark.parametrize("content", [b"text", encoded(pixels("train", 8, 8, 3)[0])[:-40]])
    def test_a_file_that_cannot_be_decoded_is_named(self, root: Path, cache: Path, content: bytes) -> None:
        write(root / "train" / "3" / "broken.png", content)
        assert f"{root / 'train' / '3' / 'broken.png'}: cannot be decoded" in refused(root, cache)

    def test_sixteen_bits_a_channel(self, root: Path, cache: Path) -> None:
        write(root / "train" / "3" / "deep.png", encoded(np.zeros((8, 8), np.uint16)))
        assert "deep.png: images must have 8 bits per channel" in refused(root, cache)

    def test_differing_sizes_need_image_size(self, root: Path, cache: Path) -> None:
        write(root / "train" / "3" / "wide.png", encoded(np.zeros((8, 12, 3), np.uint8)))
        assert "got 8x8, 8x12 (height x width); set `data.image_size`" in refused(root, cache)
        assert load_dataset(str(root), image_size=6, cache_dir=cache).image_size == 6

    def test_grey_images_stay_grey_until_one_has_colour(self, tmp_path: Path, cache: Path) -> None:
        root = tmp_path / "grey"
        for split in COUNTS:
            (root / split / "a").mkdir(parents=True)
            write(root / split / "a" / "0.png", encoded(np.full((4, 4), 7, np.uint8)))
        assert load_dataset(str(root), cache_dir=cache).channels == 1
        write(root / "test" / "a" / "1.png", encoded(np.zeros((4, 4, 3), np.uint8)))
        data = load_dataset(str(root), cache_dir=cache)
        assert data.train.images.shape == (1, 3, 4, 4)
        assert (data.train.images == 7).all()

    def test_orientation_tags_are_obeyed(self, tmp_path: Path, cache: Path) -> None:
        upright = np.zeros((16, 16), np.uint8)
        upright[:8] = 255
        exif = Image.Exif()
        exif[0x0112] = 6
        for split in COUNTS:
            (tmp_path / "turned" / split / "a").mkdir(parents=True)
            Image.fromarray(np.rot90(upright)).save(tmp_path / "turned" / split / "a" / "0.png", exif=exif)
        data = load_dataset(str(tmp_path / "turned"), cache_dir=cache)
        np.testing.assert_array_equal(data.train.images[0, 0], upright)


class TestParquetRefusals:
    def test_class_names_default_to_numbers_and_columns_have_other_names(self, tmp_path: Path, cache: Path) -> None:
        root = write_parquet(tmp_path / "set" / "data", image="image", label="fine_label")
        assert load_dataset(str(root.parent), cache_dir=cache).class_names == tuple("0123456789")

    def test_a_missing_test_split(self, tmp_path: Path, cache: Path) -> None:
        root = write_parquet(tmp_path / "set")
        (root / "test-00000-of-00001.parquet").unlink()
        assert "there is no test split. Set `split.test_fraction`" in refused(root, cache)

    def test_a_missing_train_split(self, tmp_path: Path, cache: Path) -> None:
        root = write_parquet(tmp_path / "set")
        (root / "train-00000-of-00001.parquet").unlink()
        message = refused(root, cache)
        assert "must hold the Parquet files of a train split" in message
        assert message.endswith("but got test-00000-of-00001.parquet.")

    def test_another_schema_names_the_columns_found(self, tmp_path: Path, cache: Path) -> None:
        root = write_parquet(tmp_path / "set", image="picture")
        message = refused(root, cache)
        assert "train-00000-of-00001.parquet: must have an image column" in message or "test-00000" in message
        assert "picture: struct<bytes: binary, path: string>, label: int64" in message

    @pytest.mark.parametrize("content", [b"text", encoded(pixels("train", 8, 8, 3)[0])[:-40]])
    def test_a_damaged_image_names_file_and_row(self, tmp_path: Path, cache: Path, content: bytes) -> None:
        root = write_parquet(tmp_path / "set", rows={17: {"bytes": content, "path": None}})
        assert "train-00000-of-00001.parquet, row 17: cannot be decoded" in refused(root, cache)

    def test_a_damaged_exif_block_names_file_and_row(self, tmp_path: Path, cache: Path) -> None:
        buffer = io.BytesIO()
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "PNG", exif=b"Exif\0\0II*\0")
        root = write_parquet(tmp_path / "set", rows={17: {"bytes": buffer.getvalue(), "path": None}})
        assert "train-00000-of-00001.parquet, row 17: cannot be decoded" in refused(root, cache)

    @pytest.mark.parametrize("cell", [None, {"bytes": None, "path": "17.png"}])
    def test_an_absent_image_names_file_and_row(self, tmp_path: Path, cache: Path, cell: Any) -> None:
        root = write_parquet(tmp_path / "set", rows={17: cell})
        assert "row 17: the bytes of an image must be in the file, but got null" in refused(root, cache)

    @pytest.mark.parametrize(("label", "shown"), [(None, "null"), (-1, "-1"), (10, "10")])
    def test_a_label_out_of_range(self, tmp_path: Path, cache: Path, label: int | None, shown: str) -> None:
        root = write_parquet(tmp_path / "set", names=tuple("abcdefghij"), row_labels={5: label})
        assert f"row 5: a label must be at least 0 and less than 10, but got {shown}" in refused(root, cache)

    @pytest.mark.parametrize("label", [11, 10**12])
    def test_a_gap_in_the_labels(self, tmp_path: Path, cache: Path, label: int) -> None:
        root = write_parquet(tmp_path / "set", row_labels={5: label})
        assert "every class must have a training image" in refused(root, cache)

    @pytest.mark.parametrize("keep", [0, 100, -10])
    def test_a_truncated_file(self, tmp_path: Path, cache: Path, keep: int) -> None:
        path = write_parquet(tmp_path / "set") / "train-00000-of-00001.parquet"
        path.write_bytes(path.read_bytes()[:keep])
        assert f"{path}: cannot be read as a Parquet file" in refused(path.parent, cache)

    def test_class_names_that_differ_between_files(self, tmp_path: Path, cache: Path) -> None:
        root = write_parquet(tmp_path / "set", names=tuple("abcdefghij"))
        other = write_parquet(tmp_path / "other", names=tuple("jihgfedcba"))
        (other / "test-00000-of-00001.parquet").replace(root / "test-00000-of-00001.parquet")
        assert "test-00000-of-00001.parquet: class names must be those of train" in refused(root, cache)


@pytest.mark.slow
@pytest.mark.skipif(not REAL_CIFAR10.is_dir(), reason="needs shared/data/cifar10 beside the repository")
def test_the_real_cifar10(tmp_path_factory: pytest.TempPathFactory) -> None:
    data = load_dataset(str(REAL_CIFAR10), cache_dir=tmp_path_factory.mktemp("cache"))
    assert data.train.images.shape == (50_000, 3, 32, 32)
    assert data.test.images.shape == (10_000, 3, 32, 32)
    assert np.bincount(data.train.labels).tolist() == [5000] * 10
    assert data.class_names[0] == "airplane"
    assert data.class_names[9] == "truck"
    # Channel means of CIFAR-10, as widely published; the files here are JPEGs of the original pixels.
    mean = data.train.images.mean((0, 2, 3)) / 255
    assert mean.tolist() == pytest.approx([0.4914, 0.4822, 0.4465], abs=2e-3)
