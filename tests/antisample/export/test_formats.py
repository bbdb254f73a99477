import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from antisample.errors import ConfigError
from antisample.export.formats import EXPORT_FILES, ExportError, check_formats, export_model
from antisample.models import build_model
from antisample.types import Preprocessing

PREPROCESSING = Preprocessing((0.5,), (0.25,))
IMAGES = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    model = build_model("SmallCNN", 10, 1).eval()
    for form, name in EXPORT_FILES.items():
        assert export_model(model, IMAGES, PREPROCESSING, form, folder / name) < 1e-4
    return folder, model


def test_both_files_answer_as_the_model_does_for_any_number_of_images(exported):
    folder, model = exported
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "model.pt2"]
    program = torch.export.load(folder / "model.pt2").module()
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    for n in (1, 4, 17):
        images = torch.randn(n, 1, 8, 8)
        with torch.inference_mode():
            expected = model(images)
            assert torch.equal(program(images), expected)
        (logits,) = session.run(None, {"images": images.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=0, atol=1e-4)


def test_files_say_what_input_they_expect(exported):
    folder, _ = exported
    notes = {entry.key: entry.value for entry in onnx.load(folder / "model.onnx").metadata_props}
    assert (notes["mean"], notes["std"]) == ("[0.5]", "[0.25]")
    extra = {"mean": "", "std": ""}
    torch.export.load(folder / "model.pt2", extra_files=extra)
    assert extra == {"mean": "[0.5]", "std": "[0.25]"}


class Moody(nn.Module):
    """Answers otherwise when it is traced: what an exporter's mistake looks like."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, images):
        logits = self.layer(images.flatten(1))
        return logits + 1 if torch.compiler.is_exporting() else logits


class Branching(Moody):
    """Takes a way that depends on pixels, which no graph can hold."""

    def forward(self, images):
        return self.layer(images.flatten(1)) * (2 if images.mean() > 0 else 1)


@pytest.mark.parametrize("form", ["torch.export", "onnx"])
@pytest.mark.parametrize(("network", "message"), [(Moody, "not kept"), (Branching, "cannot be written as")])
def test_a_file_that_would_answer_otherwise_is_not_kept(tmp_path, form, network, message):
    with pytest.raises(ExportError, match=message):
        export_model(network(), IMAGES, PREPROCESSING, form, tmp_path / EXPORT_FILES[form])
    assert list(tmp_path.iterdir()) == []


def test_unknown_formats_are_refused():
    assert check_formats(["onnx", "torch.export", "onnx"]) == ("onnx", "torch.export")
    with pytest.raises(ConfigError, match=r"must be one of torch\.export, onnx, but"):
        check_formats(["tflite"])
