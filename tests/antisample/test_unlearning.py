import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from antisample import UnlearnConfig, unlearn
from antisample.device import choose_device
from antisample.errors import ConfigError, DivergedError
from antisample.unlearning import Unlearning


def test_each_epoch_gives_a_report_and_the_last_one_the_test_metrics(digits_config, digits_inputs):
    reports = list(unlearn(digits_config, digits_inputs))
    assert [report.step for report in reports] == [1, 2]
    assert [report.last for report in reports] == [False, True]
    assert {name.split("/")[0] for name in reports[0].metrics.values} == {"validation"}
    assert {name.split("/")[0] for name in reports[1].metrics.values} == {"validation", "train", "test"}
    assert reports[1].metrics.counts["test/forget"] == (digits_inputs.dataset.test.labels == 3).sum()
    assert 0 < reports[0].elapsed_s < reports[1].elapsed_s
    assert reports[1].evaluation_s > 0


def test_the_anti_sample_method_forgets_digits_and_keeps_the_rest(digits_config, digits_inputs):
    config = digits_config.model_copy(update={"method": digits_config.method.model_copy(update={"epochs": 4})})
    metrics = list(unlearn(config, digits_inputs))[-1].metrics.values
    assert metrics["test/forget_accuracy"] <= 0.15
    assert metrics["test/retain_accuracy"] >= 0.9


def test_the_same_seed_gives_the_same_model(digits_config, digits_inputs):
    models = []
    for seed in (1, 1, 2):
        run = unlearn(digits_config.model_copy(update={"seed": seed}), digits_inputs)
        list(run)
        models.append(torch.cat([value.flatten() for value in run.model.state_dict().values()]))
    assert torch.equal(models[0], models[1])
    assert not torch.equal(models[0], models[2])


def test_an_unlearning_continues_from_its_state(digits_config, digits_inputs):
    whole = list(unlearn(digits_config, digits_inputs))
    first = unlearn(digits_config, digits_inputs)
    next(first)
    second: Unlearning = unlearn(digits_config, digits_inputs)
    second.load_state_dict(first.state_dict())
    (last,) = list(second)
    assert last.metrics == whole[-1].metrics
    assert last.step == 2


def test_divergence_surfaces_as_an_error(digits_config, digits_inputs):
    method = digits_config.method.model_copy(update={"unlearn_scale_lr": 1e30})
    with pytest.raises(DivergedError):
        list(unlearn(digits_config.model_copy(update={"method": method}), digits_inputs))


def test_test_images_cannot_influence_the_model(digits_config, digits_inputs):
    spoiled = dataclasses.replace(
        digits_inputs.dataset,
        test=dataclasses.replace(
            digits_inputs.dataset.test, images=255 - np.array(digits_inputs.dataset.test.images)
        ),
    )
    honest, other = (
        list(unlearn(digits_config, dataclasses.replace(digits_inputs, dataset=data)))[-1].metrics.values
        for data in (digits_inputs.dataset, spoiled)
    )
    assert honest["validation/retain_accuracy"] == other["validation/retain_accuracy"]
    assert honest["test/retain_accuracy"] != other["test/retain_accuracy"]


def test_all_problems_of_a_configuration_are_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        UnlearnConfig.parse(
            {
                "data": {"source": "digits", "image_size": 0, "colour": "red"},
                "model": {"name": "SmallCNN", "mean": [0.5]},
                "forget": {"classes": []},
                "method": {"name": "antisample", "p": 1.4, "epochs": 0},
                "seed": -1,
            },
            "here.yaml",
        )
    text = str(caught.value)
    assert text.startswith("here.yaml: 7 problems")
    for part in (
        "`data.image_size` must be greater than or equal to 1, but got 0.",
        "`data.colour` is not a setting.",
        "`mean` and `std` must be given together",
        "`forget.classes`",
        "p` must be less than or equal to 1, but got 1.4.",
        "epochs` must be greater than or equal to 1, but got 0.",
        "`seed` must be greater than or equal to 0, but got -1.",
    ):
        assert part in text


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "meta"])
def test_devices_that_do_not_exist_are_refused(device):
    with pytest.raises(ConfigError, match="`device`"):
        choose_device(device)


@pytest.mark.integration
def test_importing_the_core_loads_no_search_library():
    code = "import sys, antisample; print([m for m in ('ray', 'optuna', 'mlflow', 'tuning') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.gpu
def test_a_gpu_gives_the_same_quality(digits_config, digits_inputs):
    config = digits_config.model_copy(update={"device": "cuda"})
    metrics = list(unlearn(config, digits_inputs))[-1].metrics.values
    assert metrics["test/retain_accuracy"] >= 0.85
