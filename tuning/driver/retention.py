"""Deleting what a study no longer needs while it runs: models that cannot be chosen any more, old checkpoints."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager

from tuning.study.artifacts import StudyFiles
from tuning.study.attributes import ORIGINAL
from tuning.study.reader import StudyReader
from tuning.trials.finalists import rank
from tuning.trials.records import TrialRecord


class ArtifactRetention(AbstractContextManager["ArtifactRetention"]):
    """A listener of a study. It deletes in the background, since an object store may answer slowly or not at all.

    Args:
        study: Says which trials run, are on the front or may become finalists.
        files: What to delete from.
    """

    def __init__(self, study: StudyReader, files: StudyFiles) -> None:
        self._study, self._files = study, files
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="housekeeping")
        self._next: Future[None] | None = None
        self._needed: dict[int, TrialRecord] | None = None  # unknown before the first trial of this driver ends

    def trial(self, record: TrialRecord) -> None:
        """A trial started, reported or ended."""
        if not record.has_ended:
            return
        # By name of what is not needed, since others may have begun by the time that it is done.
        records, front = self._study.records(), self._study.front()
        before = records if self._needed is None else self._needed.values()
        candidates = {r.number: r for r in (*before, *front, record) if r.state == "COMPLETE"}
        ranked = rank(candidates.values(), self._study.config, self._study.noted(ORIGINAL, {}))
        self._needed = {trial.number: trial for trial in (*front, *ranked)}
        ended = {trial.number for trial in records if trial.has_ended}
        if self._next is not None:
            self._next.cancel()  # if it has not begun: this one covers it
        self._next = self._thread.submit(self._files.discard, ended - set(self._needed), ended)

    def __enter__(self) -> "ArtifactRetention":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Waits until everything is deleted, unless an error passes: what is left goes at the next trial's end."""
        self._thread.shutdown(wait=kind is None, cancel_futures=kind is not None)
