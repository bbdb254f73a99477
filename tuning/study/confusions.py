"""The confusion matrices of the original model and of the chosen trial, which a study keeps at its end."""

from tuning.study.attributes import CONFUSIONS
from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord

Cells = list[list[int]]
"""A confusion matrix: true class, predicted class and images, where there are any."""

ORIGINAL_MODEL = "original"
"""What the confusion matrix of the original model is kept under; those of trials are kept under their numbers."""


def confusions(study: StudyReader, record: TrialRecord) -> tuple[Cells, Cells] | None:
    """The confusion matrices before and after a trial; None where they were not kept."""
    matrices = study.noted(CONFUSIONS, {})
    if ORIGINAL_MODEL not in matrices or str(record.number) not in matrices:
        return None
    return matrices[ORIGINAL_MODEL], matrices[str(record.number)]
