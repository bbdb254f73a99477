"""The confusion matrices of the original model and of the chosen trial, which a study keeps at its end."""

from tuning.study.reader import StudyReader
from tuning.trials.records import TrialRecord

Cells = list[tuple[int, int, int]]
"""A confusion matrix: true class, predicted class and images, where there are any."""

CONFUSIONS = "confusions"
"""The study's note that holds confusion matrices, by number of the trial and under ORIGINAL."""
ORIGINAL = "original"


def confusions(study: StudyReader, record: TrialRecord) -> tuple[Cells, Cells] | None:
    """The confusion matrices before and after a trial; None where they were not kept."""
    matrices = study.noted(CONFUSIONS, {})
    if ORIGINAL not in matrices or str(record.number) not in matrices:
        return None
    return matrices[ORIGINAL], matrices[str(record.number)]
