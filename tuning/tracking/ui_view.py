"""How the MLflow UI opens a study: its runs alone, and the columns that matter first.

The UI keeps such a view in a tag of the experiment, as its own button "Share" does: filter, order and columns as
JSON, found by the key in the link.
"""

import json
from collections.abc import Iterable

from tuning.config import StudyConfig
from tuning.objectives import ELAPSED

SHARED_VIEW = "mlflow.sharedViewState."
_RUN_COLUMNS = ("attributes.`Run Name`", "runDateAndNestInfo")
_ACCURACIES = ("validation/forget_accuracy", "validation/retain_accuracy")


def columns_of(config: StudyConfig, parameters: Iterable[str]) -> tuple[str, ...]:
    """The columns of the table of runs: what is judged, seconds, what is searched, where a suggestion came from.

    Args:
        config: The study.
        parameters: What it searches.

    Returns:
        As the UI names them, the first ones first.
    """
    judged = [*(each.metric for each in config.objectives), *(each.metric for each in config.constraints)]
    metrics = dict.fromkeys([*(name for name in judged if name != ELAPSED), *_ACCURACIES, "elapsed_s"])
    return (
        *(f"metrics.`{name}`" for name in metrics),
        *(f"params.`{name}`" for name in parameters),
        "tags.`antisample.origin`",
    )


def shared_view(columns: Iterable[str], search_filter: str) -> str:
    """The view as the UI's tag holds it.

    Args:
        columns: See `columns_of`.
        search_filter: Finds the runs of the study, in MLflow's language.
    """
    shown = list(columns)
    view = {
        "searchFilter": search_filter,
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "selectedColumns": shown,
        "columnOrder": [*_RUN_COLUMNS, *shown],
    }
    return json.dumps(view)
