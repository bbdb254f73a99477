"""By what trials are measured in a study with a budget: by what the decision needs, and nothing else."""

from typing import TYPE_CHECKING

from antisample.metrics import metric_names
from antisample.unlearning import Measures
from tuning.trials.depth import is_judged_by_depth
from tuning.trials.selection import GAP, MIA, figures_of_a_choice

if TYPE_CHECKING:
    from tuning.config.study import StudyConfig


def needed_measures(config: "StudyConfig") -> Measures | None:
    """What objectives, constraints and the selection rule read; None where trials are measured by everything.

    The rest of `evaluation.final`, and the training and test images, are left for runs that confirm the choice.
    """
    if config.budget is None:
        return None
    needed = {objective.metric for objective in config.objectives} | set(figures_of_a_choice(config))
    needed |= {constraint.metric for constraint in config.constraints}
    needed |= {GAP} if config.selection.by == "oracle" else set()
    needed |= set() if is_judged_by_depth(config) else {MIA}
    families = [name for name in config.evaluation.final if needed & set(metric_names((name,)))]
    return Measures(("validation",), ("classification", *families))
