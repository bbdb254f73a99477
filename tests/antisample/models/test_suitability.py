"""Networks of every kind, tried out before they are used: they work, or one sentence says why not."""

import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from antisample.config import UnlearnConfig
from antisample.data.loader import Normaliser, to_device
from antisample.errors import ConfigError
from antisample.export.formats import export_model
from antisample.inputs import load_inputs
from antisample.models import build_model, optimised_for
from antisample.models.custom.suitability import check_network
from antisample.types import Preprocessing
from antisample.unlearning import unlearn

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _networks(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls some of these kinds deprecated
        yield


def checked(name, size=8):
    images = torch.randn(3, 1, size, size, generator=torch.Generator().manual_seed(0))
    full = f"networks_on_trial:{name}"
    return check_network(full, lambda: build_model(full, 10, 1, None, (size, size)), images, 10, "digits")


WORKING = [
    "Plain",
    "NormalisingInPlace",
    "Lazy",
    "LazyAuxiliary",
    "Auxiliary",
    "Answer",
    "Mapped",
    "Listed",
    "Nested",
    "PartlyFrozen",
    "FrozenInteger",
    "BackboneWithoutGradients",
    "Unused",
    "TensorState",
    "ComplexBuffer",
    "Bfloat16",
    "Double",
    "WeightNorm",
    "SpectralNorm",
    "Parametrized",
    "parallel",
    "Tied",
    "Transposed",
    "SharedConstant",
    "TrainsWithoutReturning",
    "Counting",
    "RunningMean",
    "Dropping",
    "OneByOne",
    "ViewInTraining",
    "Closure",
    "HookOnItself",
    "Recurrent",
]


@pytest.mark.parametrize("name", WORKING)
def test_networks_of_this_kind_are_used(name, tmp_path):
    config = UnlearnConfig.parse(
        {
            "data": {"source": "digits", "cache_dir": str(tmp_path)},
            "model": {
                "name": f"networks_on_trial:{name}",
                "recipe": {"epochs": 2, "batch_size": 64},
                "accept_original": True,
            },
            "forget": {"classes": [3]},
            "method": {"name": "finetune", "epochs": 1},
            "evaluation": {"final": ["relearn", "zrf"], "relearn_max_epochs": 1},
            "device": "cpu",
        }
    )
    inputs = load_inputs(config)
    running = unlearn(config, inputs)
    reports = list(running)
    assert reports[-1].metrics.values["validation/retain_accuracy"] > 0.15
    assert inputs.original.notes[0] == f"The network was built by networks_on_trial:{name}(num_classes=10)."
    rebuilt = inputs.original.untrained(inputs.dataset)
    rebuilt.load_state_dict(running.model.state_dict())
    images, _ = to_device(inputs.dataset.test, np.arange(20), CPU)
    images = Normaliser(inputs.original.preprocessing, CPU)(images)
    with torch.no_grad():
        for model in (rebuilt, running.model):
            model.eval()
        torch.testing.assert_close(rebuilt(images.clone()), running.model(images.clone()), rtol=1e-3, atol=1e-3)
    again = load_inputs(config)
    assert again.original.fingerprint == inputs.original.fingerprint


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("LazyUnused", "has a lazy layer that it does not use: 'unused.weight' has no shape"),
        (
            "FeaturesFirst",
            "must return logits [n, classes], here [2, 10], for the images of digits, but returned [2, 32]",
        ),
        ("GivesNothing", "but returned NoneType"),
        ("frozen", "only has frozen parameters (`requires_grad=False`)"),
        ("Parameterless", "has no parameters"),
        ("WithoutGradients", "gives logits without gradients in eval mode"),
        ("Inferring", "gives logits without gradients in eval mode"),
        ("Detached", "gives logits without gradients in eval mode"),
        ("GradientsInTraining", "gives logits without gradients in eval mode"),
        ("Fixed32", "accepts batches of 32 images but not of 2; it must accept batches of any size"),
        ("Fixed2", "accepts batches of 2 images but not of 1; it must accept batches of any size"),
        ("FixedOutput", "accepts batches of 64 images but not of 2"),
        ("Squeezing", "returns [10] instead of [1, 10] for a single image"),
        ("Bank", "changes the shape of 'bank' while it is used, from [0, 32] to "),
        ("BankWithGradients", "changes the shape of 'bank' while it is used, from [0, 32] to "),
        ("BankInTraining", "changes the shape of 'bank' while it is used, from [0, 32] to [2, 32]"),
        ("UnsavedBank", "changes the shape of 'bank' while it is used"),
        ("UnsavedBankInTraining", "changes the shape of 'bank' while it is used, from [0, 32] to [2, 32]"),
        ("Exiting", "does not accept the images of digits, [2, 1, 8, 8]: SystemExit: 3"),
        ("ExitingInTraining", "SystemExit: not for training"),
        ("NewBuffers", "changes its structure while it is used: 'kept0' is new"),
        ("OtherState", "keeps '_extra_state' in its state, of type dict"),
        ("StateOneWay", "cannot load its own weights: RuntimeError: Error(s) in loading state_dict"),
        ("HeadOnly", 'Missing key(s) in state_dict: "body.weight"'),
        ("Complex", "has complex weights"),
        ("script", "builds a TorchScript module"),
        ("ScriptedPart", "builds a TorchScript module"),
        ("quantised", "has no parameters"),
        ("doubled", "has weights in float64, but is given images in float32; call `.float()` where it is built"),
        ("halved", "has weights in float16, but is given images in float32"),
        ("NotFinite", "gives non-finite outputs for the images of digits"),
        ("Seven", "must return logits [n, classes], here [2, 10], for the images of digits, but returned [2, 7]"),
        ("Map", "but returned [2, 10, 1, 1]"),
        ("Integers", "must return floating-point logits, but returned torch.int64"),
        ("Colour", "to have 3 channels, but got 1 channels instead; `data.image_size` resizes images, and"),
        ("Large", "does not accept the images of digits, [2, 1, 8, 8]: RuntimeError: mat1 and mat2 shapes cannot be"),
        ("TwoInputs", "missing 1 required positional argument: 'other'"),
        ("RandomWidth", "builds a different network each time it is called: 'first.weight' is ["),
        ("InAList", "gives different outputs when it is built again with the same weights"),
        ("Counter", "gives different outputs for the same images in eval mode"),
        ("CounterInTraining", "gives different outputs when it is built again with the same weights"),
        ("AlwaysDropping", "draws random numbers in eval mode, as dropout without `training=self.training` does"),
        ("Sparse", "has sparse gradients, those of 'embed.weight', which Adam cannot use"),
        ("Expanded", "cannot load its own weights"),
        ("meta", "has a weight on the meta device, 'body.weight', which has no values"),
        ("same", "returns the same weights each time it is called"),
        ("cached", "returns the same weights each time it is called"),
        ("SharedPart", "returns the same weights each time it is called"),
        ("SharedStatistics", "returns networks that share 'shared.running_mean'"),
        ("InPlace", "cannot be trained in eval mode: RuntimeError: one of the variables needed for gradient"),
        ("NoEvalMode", "cannot be used on cpu: NotImplementedError: no eval mode"),
    ],
)
def test_networks_of_this_kind_are_refused_in_one_sentence(name, cause):
    with pytest.raises(ConfigError) as caught:
        checked(name)
    text = str(caught.value)
    assert text.startswith(f"`model.name` 'networks_on_trial:{name}' ")
    assert cause in text
    assert "\n" not in text
    assert text.endswith(".")
    assert not text.endswith("..")


@pytest.mark.skipif(torch.cuda.is_available(), reason="is about machines without a GPU")
@pytest.mark.parametrize("name", ["on_gpu", "ImagesToGpu"])
def test_a_network_that_needs_a_gpu_is_refused_where_there_is_none(name):
    with pytest.raises(ConfigError, match=r"(cannot be built|does not accept the images).*(NVIDIA|CUDA)"):
        checked(name)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("PartlyFrozen", "2 of the network's 4 parameter tensors are frozen and will not be changed."),
        ("BackboneWithoutGradients", "2 of the network's 4 parameter tensors get no gradient"),
        ("Auxiliary", "Of the network's outputs (Outputs), `logits` is used."),
        ("Listed", "Of the network's outputs (list), the first is used."),
        ("Probabilities", "The network seems to return probabilities, but its outputs are treated as logits"),
    ],
)
def test_what_people_should_know_is_said(name, note):
    assert any(said.startswith(note) for said in checked(name))
    assert checked("Plain") == ()


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numpy = np.random.get_state
    states = torch.get_rng_state(), random.getstate(), numpy()[1].copy()
    checked("Dropping")
    with pytest.raises(ConfigError):
        checked("RandomWidth")
    assert torch.equal(states[0], torch.get_rng_state())
    assert states[1] == random.getstate()
    assert (states[2] == numpy()[1]).all()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "method", ["antisample", "finetune", "gradient_ascent", "neggrad_plus", "random_labels", "unsir", "retrain"]
)
def test_every_method_leaves_frozen_weights_as_they_are(method, tmp_path, cache_dir):
    settings = {} if method == "unsir" else {"epochs": 1}
    config = UnlearnConfig.parse(
        {
            "data": {"source": "digits", "cache_dir": str(cache_dir)},
            "model": {
                "name": "networks_on_trial:FixedFeatures",
                "recipe": {"epochs": 2, "batch_size": 64},
                "accept_original": True,
            },
            "forget": {"classes": [3]},
            "method": {"name": method, **settings},
            "device": "cpu",
        }
    )
    inputs = load_inputs(config)
    running = unlearn(config, inputs)
    list(running)
    before, after = inputs.original.state_dict, running.model.state_dict()
    assert torch.equal(after["body.weight"], before["body.weight"])
    assert torch.equal(after["body.bias"], before["body.bias"])
    assert not torch.equal(after["head.weight"], before["head.weight"])


def test_an_exported_file_holds_the_logits_alone(tmp_path):
    model = build_model("networks_on_trial:Auxiliary", 10, 1, None, (8, 8))
    images = torch.randn(5, 1, 8, 8)
    path = tmp_path / "model.pt2"
    assert export_model(model, images, Preprocessing((0.0,), (1.0,)), "torch.export", path) < 1e-4
    assert set(model.state_dict()) == {"body.weight", "body.bias", "head.weight", "head.bias"}


def test_lazy_layers_get_their_shapes_from_the_images_and_no_statistics():
    shapes = {}
    for size in (8, 12):
        torch.manual_seed(0)
        model = build_model("networks_on_trial:LazyAuxiliary", 10, 1, None, (size, size))
        shapes[size] = model.body.weight.shape[1]
        assert torch.equal(model.auxiliary[1].running_mean, torch.zeros(16))
        assert model.training
    assert shapes == {8: 64, 12: 144}


def test_a_copy_whose_functions_belong_to_the_original_is_not_trained_in_its_place():
    model = build_model("networks_on_trial:Closure", 10, 1)
    made = optimised_for(model, "networks_on_trial:Closure", (1, 8, 8), CPU)
    cross_entropy(made(torch.randn(4, 1, 8, 8)), torch.arange(4)).backward()
    assert all(parameter.grad is not None for parameter in made.parameters())
