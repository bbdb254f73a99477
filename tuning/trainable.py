"""The Ray trainable: one epoch of unlearning a step, in workers that are reused from trial to trial."""

import json
import os
import platform
import socket
from statistics import fmean, stdev
from typing import Any

import torch
from ray import tune

import antisample
from antisample.checkpoint import Checkpoint, save_checkpoint
from antisample.errors import AntisampleError
from antisample.types import StepReport
from antisample.unlearning import UnlearnInputs, unlearn
from tuning.config import StudyConfig

REPORT_KEY = "antisample_report"
ERROR_KEY = "antisample_error"


class UnlearnTrainable(tune.Trainable):
    """Runs trials of a study one after another in one process; data and original model arrive once.

    A failure that belongs to the trial (divergence, a rule broken by its parameters) ends the trial with the reason
    in its result and keeps the worker, since a new one costs seconds.
    """

    def setup(  # type: ignore[override]
        self, config: dict[str, Any], inputs: UnlearnInputs, study: StudyConfig
    ) -> None:
        """Called once a worker by Ray.

        Args:
            config: `number`, `params` and `seeds` of the first trial.
            inputs: Data and original model, from the object store.
            study: The study, with an absolute `runs_dir`.
        """
        torch.set_num_threads(study.resources.cpus_per_trial)
        self._inputs, self._study = inputs, study
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Called by Ray to start the next trial in this worker."""
        self._trial = new_config
        self._finals: list[StepReport] = []
        self._step = 0
        self._start_replicate()
        return True

    def step(self) -> dict[str, Any]:
        """Does one epoch of the replicate under way.

        Returns:
            The report as text under REPORT_KEY and whether the trial is over; or the reason why it failed.
        """
        try:
            report = next(self._run)
            self._step += 1
            content = self._content(report)
            if report.last:
                self._finals.append(report)
                if len(self._finals) == 1:
                    self._save_model()
                if len(self._finals) == len(self._trial["seeds"]):
                    return {REPORT_KEY: json.dumps({**content, "final": self._final()}), "done": True}
                self._start_replicate()
            return {REPORT_KEY: json.dumps(content), "done": False}
        except AntisampleError as error:
            return {ERROR_KEY: f"{type(error).__name__}: {error}", "done": True}
        except torch.cuda.OutOfMemoryError:
            return {
                ERROR_KEY: "The GPU ran out of memory: raise `resources.gpus_per_trial`, or lower "
                "`fixed.batch_size` or `evaluation.batch_size`.",
                "done": True,
            }

    def _start_replicate(self) -> None:
        seed = self._trial["seeds"][len(self._finals)]
        self._run = unlearn(self._study.unlearn_config(self._trial["params"], seed), self._inputs)

    def _content(self, report: StepReport) -> dict[str, Any]:
        return {
            "step": self._step,
            "replicate": len(self._finals),
            "elapsed_s": report.elapsed_s + sum(final.elapsed_s for final in self._finals),
            "evaluation_s": report.evaluation_s + sum(final.evaluation_s for final in self._finals),
            "train_loss": report.train_loss,
            "metrics": report.metrics.values,
            "last": report.last,
        }

    def _final(self) -> dict[str, Any]:
        """Mean and standard deviation over the replicates, and where they were computed."""
        columns = {
            name: [final.metrics.values[name] for final in self._finals] for name in self._finals[0].metrics.values
        }
        several = len(self._finals) > 1
        return {
            "metrics": {name: fmean(values) for name, values in columns.items()},
            "spread": {name: stdev(values) for name, values in columns.items()} if several else {},
            "counts": self._finals[0].metrics.counts,
            "worker": f"{socket.gethostname()}/{os.getpid()}",
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
        path = self._study.directory / "models" / model_file(self._trial["number"])
        save_checkpoint(path, Checkpoint(dict(self._run.model.state_dict()), metadata))


def model_file(number: int) -> str:
    """Name of the file in `models/` that holds the unlearned model of a trial."""
    return f"trial-{number:05d}.safetensors"
