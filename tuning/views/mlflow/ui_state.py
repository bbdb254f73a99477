"""How the MLflow UI opens a study: its runs alone, the columns that matter first, and the trade-off as charts.

The UI keeps such a view in a tag of the experiment, as its own button "Share" does: filter, order, columns and charts
as JSON, found by the key in the link. A tag holds 5,000 characters.
"""

import json
from collections.abc import Sequence

from tuning.config.objectives import DEPTH, ELAPSED
from tuning.config.study import StudyConfig

SHARED_VIEW = "mlflow.sharedViewState."
FORGET, RETAIN = "validation/forget_accuracy", "validation/retain_accuracy"
_RUN_COLUMNS = ("attributes.`Run Name`", "runDateAndNestInfo")
_SECTION, _PARALLEL = "trade-off", "parameters"
_MOST = 12


def shown_metrics(config: StudyConfig) -> tuple[str, ...]:
    """The metrics that a trial is judged by, both accuracies, and seconds."""
    judged = [*(each.metric for each in config.objectives), *(each.metric for each in config.constraints)]
    return tuple(dict.fromkeys([*(name for name in judged if name != ELAPSED), FORGET, RETAIN, "elapsed_s"]))


def shared_view(metrics: Sequence[str], parameters: Sequence[str], search_filter: str) -> str:
    """The view as the UI's tag holds it.

    Args:
        metrics: Shown first in the table.
        parameters: What is searched; the first ones are shown.
        search_filter: Finds the runs of the study, in MLflow's language.
    """
    parameters, depth = parameters[:_MOST], [name for name in metrics if name == DEPTH]
    columns = [
        *(f"metrics.`{name}`" for name in metrics),
        *(f"params.`{name}`" for name in parameters),
        "tags.`antisample.origin`",
    ]
    view = {
        "searchFilter": search_filter,
        "orderByKey": "attributes.start_time",
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": [*_RUN_COLUMNS, *columns],
        "runsHiddenMode": "SHOW_ALL",
        "isAccordionReordered": True,
        "compareRunSections": [
            _section(_SECTION, "Trade-off"),
            _section(_PARALLEL, "Parameters", columns=1, cardHeight=480),  # one column: as wide as the page
        ],
        "compareRunCharts": [
            _chart("SCATTER", xaxis=_axis(FORGET), yaxis=_axis(RETAIN)),
            _chart(
                "PARALLEL",
                section=_PARALLEL,
                selectedParams=parameters,
                selectedMetrics=[FORGET, RETAIN, *depth],
                showAllRuns=True,
            ),
            *([_chart("SCATTER", "depth", xaxis=_axis(DEPTH), yaxis=_axis(RETAIN))] if depth else []),
        ],
    }
    return json.dumps(view)


def _section(uuid: str, name: str, **layout: int) -> dict[str, object]:
    return {"uuid": uuid, "name": name, "display": True, "isReordered": False, **layout}


def _chart(kind: str, name: str = "", section: str = _SECTION, **settings: object) -> dict[str, object]:
    card = {"uuid": f"{_SECTION}-{name or kind}", "type": kind, "metricSectionId": section}
    return {**card, "runsCountToCompare": 500, "deleted": False, "isGenerated": False, **settings}


def _axis(metric: str) -> dict[str, str]:
    return {"key": metric, "type": "METRIC"}
