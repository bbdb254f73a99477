"""The Ray trainable: one epoch of unlearning a step, in workers that are reused from trial to trial."""

import json
import os
import platform
import socket
import time
from dataclasses import dataclass
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
from antisample.types import EpochReport
from antisample.unlearning import Unlearning, unlearn
from tuning.config.study import StudyConfig
from tuning.study.artifacts import StudyFiles
from tuning.worker.inputs import RequestInputs, counts_of, mean

REPORT_KEY = "antisample_report"
ERROR_KEY = "antisample_error"
OUT_OF_MEMORY = (
    "The GPU ran out of memory: increase `resources.gpus_per_trial`, set a smaller `fixed.batch_size` or "
    "`evaluation.batch_size`, or set `resources.halve_batch_on_oom`."
)


@dataclass(frozen=True)
class _Final:
    """A finished replicate: its metrics, and the seconds of the trial up to its end."""

    metrics: dict[str, float]
    elapsed_s: float
    evaluation_s: float


class UnlearnTrainable(tune.Trainable):
    """Runs trials of a study one after another in one process; data and original model arrive once.

    A failure that belongs to the trial (divergence, a rule broken by its parameters) ends the trial with the reason
    in its result and keeps the worker, since a new one costs seconds.
    """

    _saved: float
    _steps_before: int
    _unheard: dict[str, Any] | None

    def setup(  # type: ignore[override]
        self, config: dict[str, Any], inputs: RequestInputs, study: StudyConfig
    ) -> None:
        """Called once a worker by Ray.

        Args:
            config: `number`, `params` and `seeds` of the first trial; how far it has come: its last `step` and
                `finished`, the reports that ended a replicate; and the driver's `token`.
            inputs: Data and original model for each forget request, from the object store.
            study: The study, with an absolute `runs_dir`.
        """
        torch.set_num_threads(study.resources.cpus_per_trial)
        self._inputs, self._study, self._files = inputs, study, StudyFiles.of(study)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Called by Ray to start the next trial in this worker, or to continue one whose worker died."""
        self._trial = new_config
        # The last replicate is run again even if all are known: its end makes the trial's result.
        known = new_config["finished"][: len(new_config["seeds"]) - 1]
        self._finals = [_Final(step["metrics"], step["elapsed_s"], step["evaluation_s"]) for step in known]
        self._steps_before = known[-1]["step"] if known else 0
        self._halvings = 0
        self._refused: str | None = None
        try:
            with deterministic():
                self._start_replicate()
        except AntisampleError as error:
            self._refused = _describe(error)
        return True

    def step(self) -> dict[str, Any]:
        """Does one epoch of the replicate under way.

        Returns:
            The report as text under REPORT_KEY and whether the trial is over; or the reason why it failed.
        """
        if self._refused is not None:
            return {ERROR_KEY: self._refused, "done": True}
        with deterministic():
            while (result := self._epoch()) is None:
                if not self._halve_batch():
                    return {ERROR_KEY: OUT_OF_MEMORY, "done": True}
        return result

    def _epoch(self) -> dict[str, Any] | None:
        """See `step`; None if the GPU ran out of memory."""
        try:
            if self._unheard is not None:
                content, self._unheard = self._unheard, None
                return {REPORT_KEY: json.dumps(content), "done": False}
            report = next(self._run)
            content = self._content(report)
            if report.last:
                self._steps_before = content["step"]
                self._finals.append(_Final(report.metrics.values, content["elapsed_s"], content["evaluation_s"]))
                if len(self._finals) == 1:
                    self._save_model()
                if len(self._finals) == len(self._trial["seeds"]):
                    return {
                        REPORT_KEY: json.dumps({**content, "final": self._final()}),
                        "done": True,
                    }
                self._start_replicate()
            elif time.monotonic() - self._saved >= self._study.resources.checkpoint_every_s:
                self._save_checkpoint(content)
            return {REPORT_KEY: json.dumps(content), "done": False}
        except AntisampleError as error:
            return {ERROR_KEY: _describe(error), "done": True}
        except torch.cuda.OutOfMemoryError:
            return None

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
        replicate = len(self._finals)
        request = self._study.request_of(replicate)
        inputs = self._inputs[request]
        config = self._study.unlearn_config(self._trial["params"], self._trial["seeds"][replicate], request)
        self._run, self._saved, self._unheard = self._unlearning(config, inputs), time.monotonic(), None
        state = self._files.load_checkpoint(self._trial["number"])
        if state is not None and self._is_of(state, replicate):
            self._halvings = state["halvings"]
            self._run = self._unlearning(config, inputs)
            self._run.load_state_dict(state["run"])
            if state["content"]["step"] > self._trial["step"]:  # the driver died before it heard of this
                self._unheard = {**state["content"], "token": self._trial["token"]}

    def _is_of(self, state: dict[str, Any], replicate: int) -> bool:
        """Whether a saved state is of this replicate of this trial, and not of a larger batch than the GPU holds."""
        same = state["content"]["replicate"] == replicate and state.get("params") == self._trial["params"]
        return same and bool(state["halvings"] >= self._halvings)

    def _unlearning(self, config: UnlearnConfig, inputs: UnlearnInputs) -> Unlearning:
        """Half the batch for each time that the GPU ran out of memory."""
        return unlearn(config.with_batches_halved(self._halvings), inputs)

    def _save_checkpoint(self, content: dict[str, Any]) -> None:
        state = {
            "run": self._run.state_dict(),
            "content": content,
            "halvings": self._halvings,
            "params": self._trial["params"],
        }
        self._files.save_checkpoint(self._trial["number"], state)
        self._saved = time.monotonic()

    def _content(self, report: EpochReport) -> dict[str, Any]:
        before = self._finals[-1] if self._finals else _Final({}, 0.0, 0.0)
        return {
            "token": self._trial["token"],
            "step": self._steps_before + report.step,
            "replicate": len(self._finals),
            "elapsed_s": report.elapsed_s + before.elapsed_s,
            "evaluation_s": report.evaluation_s + before.evaluation_s,
            "train_loss": report.train_loss,
            "metrics": report.metrics.values,
            "last": report.last,
            "worker": _worker(),
        }

    def _final(self) -> dict[str, Any]:
        """Mean and standard deviation over the replicates, and where they were computed."""
        columns = {name: [final.metrics[name] for final in self._finals] for name in self._finals[0].metrics}
        several = len(self._finals) > 1
        return {
            "metrics": mean([final.metrics for final in self._finals]),
            "spread": {name: stdev(values) for name, values in columns.items()} if several else {},
            "counts": counts_of(self._study, self._inputs),
            "batch_halvings": self._halvings,
            "worker": _worker(),
            "versions": {
                "antisample": antisample.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }

    def _save_model(self) -> None:
        metadata = {
            "model": self._study.model.name,
            "study": self._study.name,
            "trial": str(self._trial["number"]),
        }
        model = Checkpoint(dict(self._run.model.state_dict()), metadata)
        self._files.save_model(self._trial["number"], model)


def _describe(error: AntisampleError) -> str:
    return f"{type(error).__name__}: {error}"


def _worker() -> str:
    """Host and process."""
    return f"{socket.gethostname()}/{os.getpid()}"
