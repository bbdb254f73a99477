"""What a new study optimises, once its data and original model are there: two defaults depend on them."""

from statistics import fmean

from antisample.errors import ConfigError
from antisample.metrics.mask import masked
from tuning.config.objectives import DEPTH, RETAIN, Constraint
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.worker.inputs import RequestInputs

MOST_BELOW_A_MASK = 0.10
"""A network that keeps this much less than a mask is wrecked, however deeply it has forgotten."""

_EARLIER = {"earlier": "validation/earlier", "earlier_probe": "validation/earlier_probe"}
_RECALLED = {
    "earlier": "A trial does not count if it",
    "earlier_probe": "A trial does not count if a probe of it",
}


def settled(config: StudyConfig, inputs: RequestInputs) -> tuple[StudyConfig, list[str]]:
    """Spells out what the study searches and optimises, and what a trial must keep.

    A destroyed network has forgotten as deeply as can be, so it would stand on every front. Where depth is an
    objective, a trial must therefore keep a validation retain accuracy of at most 0.10 (or `selection.max_loss`, if
    that is more) less than a mask, unless the study limits it otherwise. A network without stages has none that could
    start anew.

    Args:
        config: A study that has not begun.
        inputs: Of its requests.

    Returns:
        The study, and what is to be said of it.
    """
    config, notes = settled_space(config, inputs)
    config, said = _kept_forgotten(config, inputs)
    notes += said
    if not any(objective.metric == DEPTH for objective in config.objectives):
        return config, notes
    if not all(each.probe is not None and each.probe.informative for each in inputs):
        others = tuple(objective for objective in config.objectives if objective.metric != DEPTH)
        if others:
            config = config.model_copy(update={"objectives": others})
            notes.append(f"The probe is uninformative here, so {DEPTH} is not an objective")
        return config, notes
    if any(constraint.metric == RETAIN for constraint in config.constraints):
        return config, notes
    kept = fmean(_kept_by_a_mask(inputs))
    floor = round(max(0.0, kept - max(MOST_BELOW_A_MASK, config.selection.max_loss)), 4)
    constraints = (*config.constraints, Constraint(metric=RETAIN, at_least=floor))
    notes.append(f"A mask keeps a validation retain accuracy of {kept:.1%}; trials below {floor:.1%} do not count")
    return config.model_copy(update={"constraints": constraints}), notes


def _kept_forgotten(config: StudyConfig, inputs: RequestInputs) -> tuple[StudyConfig, list[str]]:
    """Limits what a trial may recall of what the model has forgotten before, unless the study limits it otherwise."""
    if config.after is None:
        return config, []
    limited = {constraint.metric.removesuffix("_excess") for constraint in config.constraints}
    added, notes = [], []
    for family, metric in _EARLIER.items():
        if any(family in each.left_out for each in inputs) or limited & {metric, f"{metric}_forget_accuracy"}:
            continue
        if config.fidelity is not None and config.fidelity.attribute == "epochs":
            notes.append(f"{metric}_excess is not a constraint, since it is not computed after every epoch")
            continue
        added.append(Constraint(metric=f"{metric}_excess", at_most=0.0))
        notes.append(f"{_RECALLED[family]} recognises more of what was forgotten before than its card allows")
    return config.model_copy(update={"constraints": (*config.constraints, *added)}), notes


def settled_space(config: StudyConfig, inputs: RequestInputs) -> tuple[StudyConfig, list[str]]:
    """The part of `settled` that is about the search space: it needs no more of the inputs than data and network."""
    searched = TrialPlan.of(config).space.parameters
    if "reinitialise" not in searched or len(searched) == 1 or _has_stages(inputs):
        return config, []
    config = config.model_copy(update={"fixed": {**config.fixed, "reinitialise": 0}})
    return config, ["The network has no stages, so `reinitialise` is not searched; name some in `model.stages`"]


def _has_stages(inputs: RequestInputs) -> bool:
    try:
        return bool(inputs[0].original.stage_names(inputs[0].dataset))
    except ConfigError:
        return False


def _kept_by_a_mask(inputs: RequestInputs) -> list[float]:
    """Validation retain accuracies, one per request."""
    accuracies = []
    for each in inputs:
        if each.original_validation is not None:
            classes = each.splits.forget_classes
            answers = masked(each.original_validation, each.splits.gone_classes)
            accuracies.append(float(answers.correct()[~answers.forget_mask(classes)].mean()))
    return accuracies
