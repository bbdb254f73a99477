"""Messages between driver and workers, through what Ray Tune passes on."""

import json
from dataclasses import replace

import pytest

from tuning.trials.failures import FailureKind
from tuning.worker.messages import (
    FinishedReplicate,
    TrialAssignment,
    TrialFailure,
    TrialReport,
    TrialResult,
    failure_in,
    report_in,
)

REPORT = TrialReport(
    token="t",
    step=3,
    replicate=1,
    elapsed_s=0.5,
    evaluation_s=0.25,
    train_loss=1.5,
    metrics={"validation/retain_accuracy": 0.9},
    last=True,
    worker="host/1",
)
RESULT = TrialResult(
    metrics={"a/b": 1.0}, spread={}, counts={"validation/forget": 3}, batch_halvings=1, worker="host/1", versions={}
)


@pytest.mark.parametrize("report", [REPORT, replace(REPORT, result=RESULT)])
def test_a_report_arrives_as_it_was_sent_and_its_result_ends_the_trial(report):
    sent = report.to_ray()
    assert report_in(json.loads(json.dumps(sent)), "t") == report
    assert sent["done"] == (report.result is not None)
    assert failure_in(sent) is None


@pytest.mark.parametrize("result", [None, {}, {"done": True}, REPORT.to_ray()])
def test_what_is_no_report_to_this_driver_is_none(result):
    assert report_in(result, "another") is None


@pytest.mark.parametrize("kind", list(FailureKind))
def test_a_failure_arrives_with_its_kind(kind):
    sent = TrialFailure(kind, "why").to_ray()
    assert failure_in(json.loads(json.dumps(sent))) == TrialFailure(kind, "why")
    assert sent["done"]
    assert report_in(sent, "t") is None


def test_an_assignment_arrives_as_it_was_given():
    finished = (FinishedReplicate({"a": 1.0}, 0.5, 0.25, 2),)
    given = TrialAssignment(number=4, params={"p": 0.5}, seeds=(1, 2), step=3, finished=finished, token="t")
    assert TrialAssignment.from_config(json.loads(json.dumps(given.to_config()))) == given


def test_a_report_that_a_checkpoint_kept_goes_to_the_next_driver():
    assert TrialReport.from_state(REPORT.to_state(), "next") == replace(REPORT, token="next")
