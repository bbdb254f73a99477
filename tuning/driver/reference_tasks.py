"""Several retrained references at once: each is a Ray task, before any trial."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import ray
from ray.exceptions import RayTaskError
from ray.util.queue import Queue

from antisample.errors import AntisampleError
from antisample.metrics.retrained_reference import ReferenceTraining
from antisample.storage.file_store import is_object_store
from antisample.training.trainer import EpochListener
from tuning.config.study import StudyConfig
from tuning.driver.capacity import TrialResources
from tuning.worker.tasks import train_reference

_WAIT_S = 0.5


class ReferenceTasks(AbstractContextManager["ReferenceTasks"]):
    """Trains the references that are not in the cache as Ray tasks; within the block, Ray runs once it is needed.

    One reference alone is left to the driver. A training that is interrupted continues after its last saved epoch.

    Args:
        config: The study.
        share: What a task takes: as much as a trial.
        launch: Starts Ray for the length of a `with` block.
        on_epoch: Called after each epoch of any of them with the epochs done, those of all, and the last loss.
        say: Told in a sentence how many are trained.
    """

    def __init__(
        self,
        config: StudyConfig,
        share: TrialResources,
        launch: Callable[[], AbstractContextManager[None]],
        on_epoch: EpochListener,
        say: Callable[[str], None],
    ) -> None:
        self._config, self._share, self._launch = config, share, launch
        self._on_epoch, self._say = on_epoch, say
        self._stack = ExitStack()
        self._is_launched = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def __call__(self, trainings: Sequence[ReferenceTraining]) -> None:
        """Trains what is missing of the references of a request, and leaves it in the cache.

        Raises:
            AntisampleError: What a training met.
        """
        missing = [training for training in trainings if not training.is_kept()]
        if len(missing) < 2:
            return
        if not self._is_launched:
            self._stack.enter_context(self._launch())
            self._is_launched = True
        told = Queue(actor_options={"num_cpus": 0})
        task = ray.remote(num_cpus=self._share.cpus, num_gpus=self._share.gpus)(train_reference)
        threads = self._config.resources.cpus_per_trial
        absolute: Sequence[ReferenceTraining] = [_absolute(training) for training in missing]
        shared = ray.put(absolute)
        waiting: dict[Any, ReferenceTraining] = {
            task.remote(shared, i, self._config.device, threads, told): training for i, training in enumerate(missing)
        }
        epochs_done, epochs = 0, sum(training.recipe.epochs for training in missing)
        self._say(f"Training {len(missing)} retrained references, {epochs} epochs in all")
        try:
            while waiting:
                ready, _ = ray.wait(list(waiting), timeout=_WAIT_S)
                for loss in told.get_nowait_batch(told.qsize()):
                    epochs_done += 1
                    self._on_epoch(epochs_done, epochs, loss)
                for each in ready:
                    waiting.pop(each).keep(_result(each))
        finally:
            for each in waiting:
                ray.cancel(each, force=True)
            told.shutdown()


def _absolute(training: ReferenceTraining) -> ReferenceTraining:
    """The same with a cache that a worker, whose directory is another one, finds."""
    place = training.cache_dir
    return training if is_object_store(place) else replace(training, cache_dir=Path(place).absolute())


def _result(task: Any) -> bytes:
    """The file of a reference.

    Raises:
        AntisampleError: What its training met.
    """
    try:
        content: bytes = ray.get(task)
    except RayTaskError as error:
        if isinstance(error.cause, AntisampleError):
            raise error.cause from None
        raise
    return content
