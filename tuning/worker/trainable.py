"""The Ray trainable: one epoch of unlearning a step, in workers that are reused from trial to trial."""

import os
import platform
import socket
import time
from dataclasses import replace
from statistics import stdev
from typing import Any

import torch
from ray import tune

import antisample
from antisample.checkpoints.checkpoint import Checkpoint
from antisample.config import UnlearnConfig
from antisample.determinism import deterministic
from antisample.errors import AntisampleError
from antisample.inputs import UnlearnInputs
from antisample.models.masked_outputs import outputs_metadata
from antisample.types import EpochReport
from antisample.unlearning import Unlearning, unlearn
from tuning.config.trial_plan import TrialPlan
from tuning.study.artifacts import StudyFiles
from tuning.trials.failures import FailureKind
from tuning.trials.needed_metrics import needed_measures
from tuning.worker.fingerprints import check_node
from tuning.worker.inputs import RequestInputs, counts_of, mean
from tuning.worker.messages import FinishedReplicate, TrialAssignment, TrialFailure, TrialReport, TrialResult

OUT_OF_MEMORY = (
    "The GPU ran out of memory: increase `resources.gpus_per_trial`, set a smaller `fixed.batch_size` or "
    "`evaluation.batch_size`, or set `resources.halve_batch_on_oom`."
)


class UnlearnTrainable(tune.Trainable):
    """Runs trials of a study one after another in one process; data and original model arrive once.

    A failure that belongs to the trial (divergence, a rule broken by its parameters) ends the trial with the reason
    in its result and keeps the worker, since a new one costs seconds.
    """

    _saved: float
    _steps_before: int
    _unheard: TrialReport | None

    def setup(  # type: ignore[override]
        self, config: dict[str, Any], inputs: RequestInputs, plan: TrialPlan
    ) -> None:
        """Called once a worker by Ray.

        Args:
            config: The first trial, as `TrialAssignment.to_config` wrote it.
            inputs: Data and original model for each forget request, from the object store.
            plan: Of the study, with an absolute `runs_dir`.
        """
        study = plan.config
        torch.set_num_threads(study.resources.cpus_per_trial)
        self._inputs, self._plan, self._study, self._files = inputs, plan, study, StudyFiles.of(study)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Called by Ray to start the next trial in this worker, or to continue one whose worker died."""
        self._trial = TrialAssignment.from_config(new_config)
        # The last replicate is run again even if all are there: its end makes the trial's result.
        self._finished = list(self._trial.finished[: len(self._trial.seeds) - 1])
        self._steps_before = self._finished[-1].step if self._finished else 0
        self._halvings = self._trial.batch_halvings
        self._refused: TrialFailure | None = None
        try:
            check_node(self._plan.plugins)
            with deterministic():
                self._start_replicate()
        except AntisampleError as error:
            self._refused = _failure(error)
        return True

    def step(self) -> dict[str, Any]:
        """Does one epoch of the replicate under way.

        Returns:
            A `TrialReport` or a `TrialFailure`, as Ray passes it on.
        """
        if self._refused is not None:
            return self._refused.to_ray()
        with deterministic():
            while (message := self._epoch()) is None:
                if not self._halve_batch():
                    return TrialFailure(FailureKind.OUT_OF_MEMORY, OUT_OF_MEMORY).to_ray()
        return message.to_ray()

    def _epoch(self) -> TrialReport | TrialFailure | None:
        """See `step`; None if the GPU ran out of memory."""
        try:
            if self._unheard is not None:
                report, self._unheard = self._unheard, None
                return replace(report, waits=self._is_left_after(report))
            report = self._report(next(self._run))
            if report.last:
                self._steps_before = report.step
                self._finished.append(
                    FinishedReplicate(report.metrics, report.elapsed_s, report.evaluation_s, report.step)
                )
                if report.replicate == 0:
                    self._save_model()
                if self._trial.replicate is not None or len(self._finished) == len(self._trial.seeds):
                    return replace(report, result=self._result())
                self._start_replicate()
            elif self._is_left_after(report):
                self._save_checkpoint(report)
                return replace(report, waits=True)
            elif time.monotonic() - self._saved >= self._study.resources.checkpoint_every_s:
                self._save_checkpoint(report)
            return report
        except AntisampleError as error:
            return _failure(error)
        except torch.cuda.OutOfMemoryError:
            return None

    def _is_left_after(self, report: TrialReport) -> bool:
        """Whether the trial is to wait for its promotion here."""
        return self._trial.until is not None and not report.last and report.step >= self._trial.until

    def _halve_batch(self) -> bool:
        """Begins the replicate again with half the batch; False where the study or the batch does not allow it."""
        if not self._study.resources.halve_batch_on_oom or getattr(self._run.config.method, "batch_size", 0) < 4:
            return False
        self._halvings += 1
        self._start_replicate()
        torch.cuda.empty_cache()
        return True

    def _start_replicate(self) -> None:
        """Begins the next replicate, or goes on with it where a worker that died has saved its state."""
        replicate = self._replicate()
        request = self._plan.request_of(replicate)
        inputs = self._inputs[request]
        config = self._plan.unlearn_config(self._trial.params, self._trial.seeds[replicate], request)
        self._run, self._saved, self._unheard = self._unlearning(config, inputs), time.monotonic(), None
        state = self._files.load_checkpoint(self._trial.number, self._trial.replicate)
        if state is not None and self._is_of(state, replicate):
            self._halvings = state["halvings"]
            self._run = self._unlearning(config, inputs)
            self._run.load_state_dict(state["run"])
            if state["content"]["step"] > self._trial.step:  # the driver died before it heard of this
                self._unheard = TrialReport.from_state(state["content"], self._trial.token)

    def _replicate(self) -> int:
        """The replicate under way."""
        return self._trial.replicate if self._trial.replicate is not None else len(self._finished)

    def _is_of(self, state: dict[str, Any], replicate: int) -> bool:
        """Whether a saved state is of this replicate of this trial, and not of a larger batch than the GPU holds."""
        same = state["content"]["replicate"] == replicate and state.get("params") == self._trial.params
        return same and bool(state["halvings"] >= self._halvings)

    def _unlearning(self, config: UnlearnConfig, inputs: UnlearnInputs) -> Unlearning:
        """Half the batch for each time that the GPU ran out of memory."""
        return unlearn(config.with_batches_halved(self._halvings), inputs, needed_measures(self._study))

    def _save_checkpoint(self, report: TrialReport) -> None:
        state = {
            "run": self._run.state_dict(),
            "content": report.to_state(),
            "halvings": self._halvings,
            "params": self._trial.params,
        }
        self._files.save_checkpoint(self._trial.number, state, self._trial.replicate)
        self._saved = time.monotonic()

    def _report(self, epoch: EpochReport) -> TrialReport:
        before = self._finished[-1] if self._finished else None
        return TrialReport(
            token=self._trial.token,
            step=self._steps_before + max(1, epoch.step),  # reports of a trial are told apart by it
            replicate=self._replicate(),
            elapsed_s=epoch.elapsed_s + (before.elapsed_s if before else 0.0),
            evaluation_s=epoch.evaluation_s + (before.evaluation_s if before else 0.0),
            train_loss=epoch.train_loss,
            metrics=epoch.metrics.values,
            last=epoch.last,
            worker=_worker(),
        )

    def _result(self) -> TrialResult:
        """Mean and standard deviation over the replicates, and where they were computed."""
        metrics = [replicate.metrics for replicate in self._finished]
        spread = {name: stdev(each[name] for each in metrics) for name in metrics[0]} if len(metrics) > 1 else {}
        versions = {
            "antisample": antisample.__version__,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
            **{plugin.distribution: plugin.version for plugin in self._plan.plugins},
        }
        return TrialResult(
            metrics=mean(metrics),
            spread=spread,
            counts=counts_of(self._study, self._inputs),
            batch_halvings=self._halvings,
            worker=_worker(),
            versions=versions,
        )

    def _save_model(self) -> None:
        metadata = {
            "model": self._study.model.name,
            "study": self._study.name,
            "trial": str(self._trial.number),
            **outputs_metadata(self._run.model),
        }
        model = Checkpoint(dict(self._run.model.state_dict()), metadata)
        self._files.save_model(self._trial.number, model)


def _failure(error: AntisampleError) -> TrialFailure:
    return TrialFailure(FailureKind.ERROR, f"{type(error).__name__}: {error}")


def _worker() -> str:
    """Host and process."""
    return f"{socket.gethostname()}/{os.getpid()}"
