"""What a worker does with a trial: replicates over forget requests, half batches, damaged checkpoints."""

from contextlib import nullcontext
from dataclasses import replace
from statistics import fmean

import pytest
import safetensors.torch
import torch

from antisample.errors import ConfigError
from antisample.plugins.discovery import Plugin
from antisample.unlearning import unlearn
from tuning.config.loading import parse_study
from tuning.config.trial_plan import TrialPlan
from tuning.study.artifacts import StudyFiles
from tuning.trials.failures import FailureKind
from tuning.worker import trainable as module
from tuning.worker.inputs import counts_of, load_requests, original_metrics
from tuning.worker.messages import FinishedReplicate, TrialAssignment, failure_in, report_in
from tuning.worker.trainable import UnlearnTrainable

ONE_FAMILY = {"evaluation": {"final": ["zrf"]}}
"""For tests that compare two runs of a trial, whatever is measured at its end."""
PARAMS = {"size_multiplier": 4, "unlearn_scale_lr": 2.0}


@pytest.fixture
def study(values, cache_dir):
    """A study of two forget requests; a trial takes four unlearnings of two epochs."""

    def make(**changes):
        return parse_study(
            {
                **values,
                "data": {"source": "digits", "cache_dir": str(cache_dir)},
                "model": {"name": "SmallCNN", "recipe": {"epochs": 6, "batch_size": 64}},
                "forget": [{"classes": [3]}, {"classes": [0, 1]}],
                "replicates": 4,
                "published": [],
                "fixed": {"epochs": 2},
                "device": "cpu",
                **changes,
            }
        )

    return make


@pytest.fixture
def start(tmp_path):
    """Starts a worker with a trial, as Ray does but in this process."""

    def make(config, *, steps=(), params=PARAMS, plugins=(), replicate=None, until=None):
        inputs = load_requests(TrialPlan.of(config))

        class Here(UnlearnTrainable):
            def setup(self, given):
                super().setup(given, inputs, replace(TrialPlan.of(config), plugins=plugins))

        config.directory.mkdir(exist_ok=True)
        finished = [FinishedReplicate(s.metrics, s.elapsed_s, s.evaluation_s, s.step) for s in steps if s.last]
        trial = TrialAssignment(
            number=0,
            params=params,
            seeds=tuple(TrialPlan.of(config).trial_seeds),
            step=steps[-1].step if steps else 0,
            finished=tuple(finished) if replicate is None else (),
            replicate=replicate,
            until=until,
            token="t",
        )
        return Here(trial.to_config())

    return make


def run(worker):
    """Steps to the end; the reports."""
    reports = []
    while True:
        result = worker.step()
        assert failure_in(result) is None, failure_in(result)
        reports.append(report_in(result, "t"))
        if result["done"]:
            return reports


def figures(reports):
    return [(report.step, report.replicate, report.train_loss, report.metrics) for report in reports]


def test_replicates_take_the_forget_requests_in_turn_and_the_trial_is_their_mean(study, start):
    config = study()
    reports = run(start(config))
    inputs = load_requests(TrialPlan.of(config))
    alone = [
        list(unlearn(TrialPlan.of(config).unlearn_config(PARAMS, seed, request), inputs[request]))[-1].metrics.values
        for seed, request in zip(TrialPlan.of(config).trial_seeds, (0, 1, 0, 1), strict=True)
    ]
    assert [report.metrics for report in reports if report.last] == alone
    final = reports[-1].result
    assert final.metrics == {name: fmean(values[name] for values in alone) for name in alone[0]}
    assert final.counts == counts_of(config, inputs) == original_metrics(TrialPlan.of(config), inputs).counts
    assert final.counts["test/forget"] == sum(counts_of(config, (each,))["test/forget"] for each in inputs)


def test_a_replicate_alone_is_what_it_is_in_a_row_and_goes_on_from_a_checkpoint_of_its_own(study, start):
    config = study(resources={"checkpoint_every_s": 0}, **ONE_FAMILY)
    in_a_row = run(start(config))
    (model,) = (config.directory / "models").iterdir()
    first = model.read_bytes()
    for replicate in (2, 1):
        expected = [report for report in in_a_row if report.replicate == replicate]
        begun = start(config, replicate=replicate)
        reports = [report_in(begun.step(), "t")]
        reports += run(start(config, replicate=replicate, steps=reports))  # the worker has died
        assert [report.step for report in reports] == [1, 2]
        for report, same in zip(reports, expected, strict=True):
            assert (report.replicate, report.train_loss, report.metrics) == (replicate, same.train_loss, same.metrics)
        assert reports[-1].result.metrics == reports[-1].metrics
        assert reports[-1].elapsed_s < in_a_row[-1].elapsed_s
    assert model.read_bytes() == first, "the model of a trial is that of its first replicate"
    names = {path.name for path in (config.directory / "checkpoints").iterdir()}
    assert {f"trial-00000-replicate-{replicate}.pt" for replicate in (1, 2)} < names
    StudyFiles.of(config).discard(set(), {1})
    assert {path.name for path in (config.directory / "checkpoints").iterdir()} == names
    StudyFiles.of(config).discard(set(), {0})
    assert not list((config.directory / "checkpoints").iterdir())


@pytest.mark.parametrize("harm", ["none", "deleted"])
def test_a_trial_that_is_left_after_some_epochs_is_continued_to_the_same_figures(study, start, harm):
    rule = {"attribute": "epochs", "rule": "promotion"}
    config = study(forget={"classes": [3]}, replicates=1, fixed={"epochs": 5}, fidelity=rule, **ONE_FAMILY)
    whole = run(start(config, replicate=0))
    first = run(start(config, replicate=0, until=1))
    (checkpoint,) = (config.directory / "checkpoints").iterdir()
    assert (len(first), first[0].waits, first[0].result) == (1, True, None)
    if harm == "deleted":
        checkpoint.unlink()
    again = run(start(config, replicate=0, steps=first, until=4))
    assert [(report.step, report.waits) for report in again][-3:] == [(2, False), (3, False), (4, True)]
    unheard = run(start(config, replicate=0, steps=again[:-1], until=4))
    assert [(report.step, report.waits) for report in unheard] == [(4, True)], "its driver died before it heard of it"
    rest = run(start(config, replicate=0, steps=again))
    assert [report.step for report in rest] == [5]
    assert figures(first + again[-3:] + rest) == figures(whole)
    assert rest[-1].result.metrics == whole[-1].result.metrics
    assert not rest[-1].waits


def test_data_and_original_model_are_loaded_once_for_all_requests(study):
    first, second = load_requests(TrialPlan.of(study()))
    assert first.dataset is second.dataset
    assert first.original is second.original
    assert (first.splits.forget_classes, second.splits.forget_classes) == ((3,), (0, 1))


FEW = {"validation_fraction": 0.05}
"""Validation images of one class are too few for membership inference then, and those of two are not."""


def test_what_one_request_has_too_few_images_for_is_left_out_for_all(study):
    config = study(split=FEW)
    first, second = load_requests(TrialPlan.of(config))
    assert list(first.left_out) == list(second.left_out) == ["membership"]
    assert "at least 10 validation images to forget, but got 7" in first.notes[0]
    names = original_metrics(TrialPlan.of(config), (first, second)).values
    assert "test/zrf" in names
    assert not any("mia" in name for name in names)
    (alone,) = load_requests(TrialPlan.of(study(split=FEW, forget={"classes": [0, 1]}, replicates=1)))
    assert alone.left_out == {}


def test_a_metric_that_is_needed_is_not_left_out(study):
    objectives = [
        {"metric": "validation/mia_loss", "direction": "minimize"},
        {"metric": "validation/retain_accuracy", "direction": "maximize"},
    ]
    with pytest.raises(
        ConfigError, match=r"The objective 'validation/mia_loss' cannot be computed on this data. The m"
    ):
        load_requests(TrialPlan.of(study(split=FEW, objectives=objectives)))
    limits = [{"metric": "validation/mia_loss", "at_most": 0.6}]
    with pytest.raises(ConfigError, match=r"The constraint on 'validation/mia_loss' cannot be computed on this data"):
        load_requests(TrialPlan.of(study(split=FEW, constraints=limits)))
    spelled_out = study(split=FEW, evaluation={"final": ["membership", "zrf", "relearn"]})
    with pytest.raises(ConfigError, match=r"but got 7; remove `membership` from `evaluation.final`"):
        load_requests(TrialPlan.of(spelled_out))


def test_one_request_needs_no_list(study):
    config = study(forget={"classes": [3]}, replicates=1)
    assert config.forget == study().forget[:1]
    assert "forget:\n  classes:\n  - '3'\n" in config.to_yaml()
    assert parse_study({**study().model_dump(mode="json")}).forget == study().forget


class Full(module.Unlearning):
    """Stands in for a GPU that holds 40 images."""

    def __next__(self):
        if self.config.method.batch_size > 40:
            raise torch.cuda.OutOfMemoryError
        return super().__next__()


def test_a_full_gpu_fails_the_trial_and_says_what_to_change(study, start, monkeypatch):
    monkeypatch.setattr(module, "unlearn", Full)
    result = start(study()).step()
    assert "resources.gpus_per_trial" in failure_in(result).message
    assert "resources.halve_batch_on_oom" in failure_in(result).message
    assert result["done"]


def test_a_full_gpu_halves_the_batch_where_the_study_allows_it(study, start, monkeypatch):
    config = study(fixed={"epochs": 2, "batch_size": 128}, resources={"halve_batch_on_oom": True}, **ONE_FAMILY)
    monkeypatch.setattr(module, "unlearn", Full)
    reports = run(start(config))
    assert reports[-1].result.batch_halvings == 2
    smaller = run(start(study(fixed={"epochs": 2, "batch_size": 32}, name="smaller", **ONE_FAMILY)))
    assert figures(reports) == figures(smaller)


def test_parameters_that_the_method_refuses_fail_the_trial_with_the_rule_and_keep_the_worker(study, start):
    config = study(forget={"classes": [3]}, replicates=1)
    worker = start(config, params={**PARAMS, "p": 1.5})
    result = worker.step()
    assert result["done"]
    assert failure_in(result).kind is FailureKind.ERROR
    assert failure_in(result).message.startswith("ConfigError: `method.")
    assert "less than or equal to 1, but got 1.5." in failure_in(result).message
    assert worker.reset_config(replace(worker._trial, params=PARAMS).to_config())
    assert [report.step for report in run(worker)] == [1, 2]


def test_even_the_smallest_batch_may_be_too_large(study, start, monkeypatch):
    class Tiny(Full):
        def __next__(self):
            raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(module, "unlearn", Tiny)
    assert failure_in(start(study(resources={"halve_batch_on_oom": True})).step()).kind is FailureKind.OUT_OF_MEMORY


@pytest.mark.parametrize("harm", ["none", "deleted", "cut short", "rubbish"])
def test_a_trial_goes_on_to_the_same_figures_whatever_became_of_its_checkpoint(study, start, harm):
    config = study(
        forget={"classes": [3]},
        replicates=2,
        fixed={"epochs": 3},
        resources={"checkpoint_every_s": 0},
        name=harm[:3],
        **ONE_FAMILY,
    )
    whole = run(start(config))
    worker = start(config)
    heard = [report_in(worker.step(), "t") for _ in range(5)]  # the second epoch of the second replicate
    (checkpoint,) = (config.directory / "checkpoints").iterdir()
    content = checkpoint.read_bytes()
    if harm == "deleted":
        checkpoint.unlink()
    elif harm == "cut short":
        checkpoint.write_bytes(content[: len(content) // 2])
    elif harm == "rubbish":
        checkpoint.write_bytes(b"rubbish")
    rest = run(start(config, steps=heard))
    assert [report.step for report in rest] == ([6] if harm == "none" else [4, 5, 6])
    assert figures(rest) == figures(whole)[-len(rest) :]
    assert rest[-1].result.metrics == whole[-1].result.metrics


@pytest.mark.integration
@pytest.mark.parametrize("harm", ["none", "cut short", "refused"])
def test_a_trial_goes_on_from_an_object_store(study, start, s3, harm):
    config = study(
        forget={"classes": [3]},
        replicates=2,
        fixed={"epochs": 3},
        resources={"checkpoint_every_s": 0},
        storage_path=s3.address("trainable"),
        name=harm[:3],
    )
    whole = run(start(config))
    model = f"trainable/{config.name}/models/trial-00000.safetensors"
    before = safetensors.torch.load(s3.get(model))
    s3.client.delete_object(Bucket="studies", Key=model)
    worker = start(config)
    heard = [report_in(worker.step(), "t") for _ in range(5)]  # the second epoch of the second replicate
    again = safetensors.torch.load(s3.get(model))
    assert all(again[name].equal(tensor) for name, tensor in before.items())
    assert not list(config.directory.iterdir()), "nothing is written here"
    (checkpoint,) = s3.keys(f"trainable/{config.name}/checkpoints/")
    content = s3.get(checkpoint)
    if harm == "cut short":
        s3.put(checkpoint, content[: len(content) // 2])
    with s3.refusing() if harm == "refused" else nullcontext():
        worker = start(config, steps=heard)
    rest = run(worker)
    assert [report.step for report in rest] == ([6] if harm == "none" else [4, 5, 6])
    assert figures(rest) == figures(whole)[-len(rest) :]


@pytest.mark.integration
def test_a_store_that_refuses_costs_checkpoints_and_fails_a_trial_only_for_its_model(study, start, s3):
    config = study(
        forget={"classes": [3]},
        replicates=1,
        fixed={"epochs": 3},
        resources={"checkpoint_every_s": 0},
        storage_path=s3.address("refusing"),
    )
    with s3.refusing():
        worker = start(config)
        results = [worker.step() for _ in range(3)]
    assert [failure_in(result) is not None for result in results] == [False, False, True]
    assert "StorageError: s3://studies/refusing/made: cannot be used" in failure_in(results[-1]).message
    assert not s3.keys("refusing/")


def test_a_node_without_a_plug_in_fails_the_trial_with_package_and_version(study, start):
    needed = Plugin("method", "toy", "antisample-toy", "1.0")
    failure = failure_in(start(study(), plugins=(needed,)).step())
    assert "needs the package antisample-toy 1.0 (method 'toy'), which is not installed here." in failure.message
    assert "\n" not in failure.message
