"""What is given as weights: files as frameworks write them, and files that are something else."""

import argparse
import gzip
import io
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from antisample.checkpoints.channel_values import channel_values
from antisample.checkpoints.checkpoint import load_checkpoint
from antisample.errors import DataError
from antisample.models import build_model


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return build_model("SmallCNN", 3, 1)


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


def refused(path):
    """What is said of a file, without its path."""
    with pytest.raises(DataError) as error:
        load_checkpoint(path)
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert text.endswith(".")
    return text.removeprefix(f"{path}: ")


def same(found, net):
    return list(found) == list(net.state_dict()) and all(
        torch.equal(found[n], t) for n, t in net.state_dict().items()
    )


WRAPPED = {
    "lightning": (lambda w: {"state_dict": w, "epoch": 3, "hyper_parameters": {"lr": 0.1}}, "state_dict"),
    "kuangliu": (lambda w: {"net": w, "acc": 95.4, "epoch": 199}, "net"),
    "model_state_dict": (lambda w: {"model_state_dict": w, "loss": torch.tensor(0.3)}, "model_state_dict"),
    "nested": (lambda w: {"model": {"state_dict": w}, "epoch": 1}, "model.state_dict"),
    "torchvision": (
        lambda w: {"model": w, "model_ema": OrderedDict(w), "args": argparse.Namespace(lr=0.1, path=Path("/data"))},
        "model",
    ),
    "timm": (lambda w: {"arch": "resnet18", "state_dict": w, "state_dict_ema": w, "version": 2}, "state_dict"),
    "averages alone": (lambda w: {"model_ema": w, "epoch": 2}, "model_ema"),
    "a name of one's own": (lambda w: {"classifier": w, "best": np.float64(0.5)}, "classifier"),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_weights_are_found_in_what_frameworks_write_and_it_is_said(tmp_path, net, name):
    wrap, entry = WRAPPED[name]
    checkpoint = load_checkpoint(saved(tmp_path / "a.pt", wrap(net.state_dict())))
    assert same(checkpoint.state_dict, net)
    assert checkpoint.notes[0].startswith(f"Of the checkpoint's entries, `{entry}` was used.")
    unused = {"torchvision": "`model_ema` holds weights, too", "timm": "`state_dict_ema` holds weights, too"}
    assert ("which were not used" in checkpoint.notes[0]) == (name in unused)
    assert unused.get(name, "") in checkpoint.notes[0]


def test_a_plain_state_dict_needs_no_words(tmp_path, net):
    assert load_checkpoint(saved(tmp_path / "a.pt", net.state_dict())).notes == ()


def test_what_is_no_tensor_is_left_out_of_a_state_dict(tmp_path, net):
    checkpoint = load_checkpoint(saved(tmp_path / "a.pt", {**net.state_dict(), "epoch": 4}))
    assert same(checkpoint.state_dict, net)
    assert checkpoint.notes == ("Of the checkpoint, `epoch` was ignored, since it is not a tensor.",)


def test_the_content_says_what_a_file_is_and_not_its_suffix(tmp_path, net):
    weights = net.state_dict()
    for suffix in ("pt", "bin", "safetensors"):
        safetensors.torch.save_file(weights, tmp_path / f"a.{suffix}")
        saved(tmp_path / f"b.{suffix}", weights)
        saved(tmp_path / f"c.{suffix}", weights, _use_new_zipfile_serialization=False)
        for name in "abc":
            assert set(load_checkpoint(tmp_path / f"{name}.{suffix}").state_dict) == set(weights)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"epoch": 3, "lr": 0.1}, "holds no state dict, but the entries 'epoch' (int), 'lr' (float)"),
        ({}, "holds no state dict, but nothing"),
        ({"acc": torch.tensor(0.9)}, "holds no state dict, but the entries 'acc' (Tensor)"),
        ([torch.ones(2)], "holds no state dict, but a list of 1"),
        (torch.ones(2, 3), "holds no state dict, but a single tensor of shape [2, 3]"),
        (torch.optim.SGD(nn.Linear(2, 2).parameters()).state_dict(), "but the state of an optimiser"),
        ({"student": {"w": torch.ones(2)}, "teacher": {"w": torch.ones(2)}}, "weights, `student`, `teacher`; save"),
        ({"w": torch.eye(3).to_sparse()}, "tensors that are sparse (sparse_coo), such as 'w'; save them with"),
        ({"w": torch.eye(3).to_sparse_csr()}, "tensors that are sparse (sparse_csr), such as 'w'"),
        ({"w": torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)}, "quantised (qint8), such as 'w'"),
        ({"w": torch.empty(3, device="meta")}, "without values, on the device `meta`, such as 'w'"),
    ],
)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_what_holds_no_weights_is_called_what_it_is(tmp_path, content, said):
    assert said in refused(saved(tmp_path / "a.pt", content))


def test_a_whole_network_is_called_one(tmp_path, net):
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        text = refused(saved(tmp_path / "a.pt", net, **options))
        assert "refused, since reading it would execute code" in text
        assert "antisample.models.networks.small_cnn.SmallCNN" in text
        assert "`torch.save(model.state_dict(), path)`" in text
    assert "it holds a whole network, with objects such as antisample.models.networks.small_cnn.SmallCNN" in refused(
        saved(tmp_path / "b.pt", {"net": nn.DataParallel(net)})
    )
    other = refused(saved(tmp_path / "c.pt", {"state_dict": net.state_dict(), "when": zipfile.ZipInfo("x")}))
    assert "it holds zipfile.ZipInfo" in other


def test_programs_of_torch_are_called_what_they_are(tmp_path, net):
    example = torch.zeros(2, 1, 8, 8)
    torch.jit.trace(net.eval(), example).save(str(tmp_path / "script.pt"))
    assert refused(tmp_path / "script.pt").startswith(
        "is a TorchScript archive, which contains code; load it with torch.jit"
    )
    torch.export.save(torch.export.export(net, (example,)), tmp_path / "a.pt2")
    assert refused(tmp_path / "a.pt2").startswith("is a program written by torch.export")


def _zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def _tar():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    return buffer.getvalue()


def _numpy():
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    return buffer.getvalue()


def _numpy_archive():
    buffer = io.BytesIO()
    np.savez(buffer, weight=np.ones(3))
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32\nsize 12345\n"
FOREIGN = {
    "git lfs": (LFS, "is a Git LFS pointer instead of the file itself; fetch the file with `git lfs pull`."),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file, such as one written by Keras; "),
    "hdf5 with a user block": (bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(100), "is an HDF5 file"),
    "keras": (_zipped(config__json="{}", model__weights__h5=b"\x89HDF"), "is a Keras model"),
    "npy": (_numpy(), "is a NumPy array (.npy)"),
    "npz": (_numpy_archive(), "is NumPy arrays (.npz)"),
    "gguf": (b"GGUF\x03\x00\x00\x00" + bytes(50), "is a GGUF file"),
    "gzip": (gzip.compress(b"weights"), "is a gzip archive; unpack it."),
    "tar": (_tar(), "is a tar archive; unpack it"),
    "zip": (_zipped(readme__md="hello", weights__txt="1"), "is a ZIP archive of readme.md, weights.txt; unpack it"),
    "page": (b"\n<!DOCTYPE html><html><body>Sign in</body></html>", "is a web page; download the file itself."),
    "404": (b"404: Not Found", "is a text that begins with '404: Not Found'"),
    "json": (b'{"architectures": ["ResNet"]}', "is a JSON text"),
    "index": (
        b'{"weight_map": {"a": "model-1-of-2.safetensors"}}',
        "is the index of weights that are spread over model-1",
    ),
    "tflite": (b"\x1c\x00\x00\x00TFL3" + bytes(30), "is a TensorFlow Lite model"),
    "tensorflow index": (bytes(40) + bytes.fromhex("57fb808b247547db"), "is a part of a TensorFlow checkpoint"),
    "image": (b"\x89PNG\r\n\x1a\n" + bytes(20), "is an image; give the weights file."),
    "empty": (b"", "is empty."),
    "noise": (
        bytes(range(255, 130, -1)) * 40,
        "not a readable checkpoint; it was written by neither safetensors nor torch.save",
    ),
    "another encoding": ("schön".encode("latin-1") * 50, "not a readable checkpoint"),
    "cut archive": (_zipped(data__pkl="x" * 500)[:300], "not a readable torch checkpoint (it is cut short)."),
    "damaged archive": (_zipped(**{"a/data__pkl": b"x" * 500, "a/version": "3"}), "not a readable torch checkpoint"),
    "safetensors that are cut": (b"\x10\x00\x00\x00\x00\x00\x00\x00{", "not a readable safetensors file"),
    "pickle": (pickle.dumps({"a": 1}), "refused, since reading it would execute code"),
}


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_other_files_are_called_what_they_are(tmp_path, kind, suffix):
    content, said = FOREIGN[kind]
    path = tmp_path / f"model.{suffix}"
    path.write_bytes(content)
    assert refused(path).startswith(said)


def test_an_onnx_model_is_called_one(tmp_path, net):
    pytest.importorskip("onnx")
    program = torch.onnx.export(net.eval(), (torch.zeros(2, 1, 8, 8),), dynamo=True, verbose=False)
    program.save(tmp_path / "model.pt", external_data=False)
    assert refused(tmp_path / "model.pt") == "is an ONNX model; give the torch weights that it was exported from."


def test_a_path_without_a_file_is_explained(tmp_path, net):
    assert refused(tmp_path).startswith("is a folder, and no weights are in it")
    saved(tmp_path / "model.pth", net.state_dict())
    assert refused(tmp_path) == f"is a folder; give the weights file, such as {tmp_path / 'model.pth'}."
    for given in ("model.pt", "modell.pth"):
        path = tmp_path / given
        with pytest.raises(DataError) as error:
            load_checkpoint(path)
        assert str(error.value) == f"{path}: the checkpoint does not exist; did you mean {tmp_path / 'model.pth'}?"
    (tmp_path / "link.pth").symlink_to(tmp_path / "gone.pth")
    assert refused(tmp_path / "link.pth") == f"is a link to {tmp_path / 'gone.pth'}, which does not exist."
    assert refused(Path("/dev/null")) == "is not a file; give the weights file."


def test_a_digest_that_is_none_is_refused(tmp_path):
    for digest in ("", "0" * 31, "0" * 64, "g" * 32):
        safetensors.torch.save_file({"w": torch.ones(2)}, tmp_path / "a.safetensors", {"digest": digest})
        assert "`digest` in its metadata must be 32 hexadecimal digits" in refused(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "beside",
    [
        np.random.RandomState(0).get_state(),
        np.array(["cat", "dog"]),
        np.array([b"cat"]),
        np.arange(3, dtype=np.uint32),
        np.arange(3, dtype=">i2"),
        np.zeros(2, dtype=[("epoch", "i4"), ("loss", "f8")]),
        np.datetime64("2020-01-01"),
    ],
    ids=lambda value: str(getattr(value, "dtype", "random state")),
)
@pytest.mark.parametrize("zipped", [True, False])
def test_arrays_beside_the_weights_do_no_harm(tmp_path, net, beside, zipped):
    content = {"state_dict": net.state_dict(), "beside": beside}
    path = saved(tmp_path / "a.pt", content, _use_new_zipfile_serialization=zipped)
    assert same(load_checkpoint(path).state_dict, net)


@pytest.mark.parametrize("zipped", [True, False])
def test_an_array_of_objects_is_refused_by_name(tmp_path, net, zipped):
    content = {"state_dict": net.state_dict(), "classes": np.array(["cat", None], dtype=object)}
    said = refused(saved(tmp_path / "a.pt", content, _use_new_zipfile_serialization=zipped))
    assert "it holds an array of Python objects (numpy.dtypes.ObjectDType)" in said
    assert "save the weights with `torch.save(model.state_dict(), path)`" in said


def test_zeros_are_called_zeros(tmp_path):
    (tmp_path / "a.pt").write_bytes(bytes(20_000))
    assert refused(tmp_path / "a.pt").startswith("is a file that begins with only zeros")


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_channel_values_may_be_arrays(kind):
    assert channel_values("mean", kind([0.5, 0.25])) == (0.5, 0.25)


def test_another_pickle_protocol_is_called_that(tmp_path, net):
    said = refused(saved(tmp_path / "a.pt", net.state_dict(), pickle_protocol=4))
    assert said.startswith("was pickled by another protocol than torch's own, 2")


@pytest.mark.parametrize("key", [0, None, (1, 2), b"epoch"])
def test_keys_that_are_no_texts_do_no_harm(tmp_path, net, key):
    assert same(load_checkpoint(saved(tmp_path / "a.pt", {"state_dict": net.state_dict(), key: 1})).state_dict, net)
    flat = load_checkpoint(saved(tmp_path / "b.pt", {**net.state_dict(), key: 1}))
    assert same(flat.state_dict, net)
    assert flat.notes == (f"Of the checkpoint, `{key}` was ignored, since it is not a tensor.",)


def test_averaged_weights_of_torch_load(tmp_path, net):
    checkpoint = load_checkpoint(saved(tmp_path / "a.pt", {"model_ema": AveragedModel(net).state_dict()}))
    assert "n_averaged" in checkpoint.state_dict
