"""What a new study optimises, once its data and original model are there: two defaults depend on them."""

from statistics import fmean

from antisample.metrics.mask import masked
from tuning.config.objectives import DEPTH, RETAIN, Constraint
from tuning.config.study import StudyConfig
from tuning.worker.inputs import RequestInputs

MOST_BELOW_A_MASK = 0.10
"""A network that keeps this much less than a mask is wrecked, however deeply it has forgotten."""


def settled(config: StudyConfig, inputs: RequestInputs) -> tuple[StudyConfig, str | None]:
    """Spells out what the study optimises, and what a trial must keep.

    A destroyed network has forgotten as deeply as can be, so it would stand on every front. Where depth is an
    objective, a trial must therefore keep a validation retain accuracy of at most 0.10 (or `selection.max_loss`, if
    that is more) less than a mask, unless the study limits it otherwise.

    Args:
        config: A study that has not begun.
        inputs: Of its requests.

    Returns:
        The study, and what is to be said of it; None if nothing is.
    """
    if not any(objective.metric == DEPTH for objective in config.objectives):
        return config, None
    if not all(each.probe is not None and each.probe.informative for each in inputs):
        others = tuple(objective for objective in config.objectives if objective.metric != DEPTH)
        return config.model_copy(update={"objectives": others}), (
            f"Depth is no objective here, since the probe is uninformative: {DEPTH} is left out of the objectives"
        )
    if any(constraint.metric == RETAIN for constraint in config.constraints):
        return config, None
    kept = fmean(_kept_by_a_mask(inputs))
    floor = round(max(0.0, kept - max(MOST_BELOW_A_MASK, config.selection.max_loss)), 4)
    constraints = (*config.constraints, Constraint(metric=RETAIN, at_least=floor))
    return config.model_copy(update={"constraints": constraints}), (
        f"A mask keeps a validation retain accuracy of {kept:.1%}; trials below {floor:.1%} do not count"
    )


def _kept_by_a_mask(inputs: RequestInputs) -> list[float]:
    """Validation retain accuracies, one per request."""
    accuracies = []
    for each in inputs:
        if each.original_validation is not None:
            classes = each.splits.forget_classes
            answers = masked(each.original_validation, classes)
            accuracies.append(float(answers.correct()[~answers.forget_mask(classes)].mean()))
    return accuracies
