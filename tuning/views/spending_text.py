"""What a request has cost, in words, in both units: retrainings and minutes."""

from tuning.config.study import StudyConfig
from tuning.study.outcome import Outcome
from tuning.study.spending import Spending


def spending_lines(outcome: Outcome, config: StudyConfig) -> list[str]:
    """What was spent on what, why the search ended early, and what had no room; none before something was spent."""
    spending, chosen = outcome.spending, outcome.chosen
    if not spending.total_s:
        return []
    lines = [f"Whole request: {describe_spending(spending)}."]
    if spending.stopped_because is not None:
        lines.append(f"The search ended early: {spending.stopped_because}.")
    confirmed = [confirmation.number for confirmation in outcome.confirmations]
    if spending.budget is not None and config.confirm_seeds and chosen is not None and chosen.number not in confirmed:
        lines.append("The budget has no room to run the chosen trial again with fresh seeds, so it is not confirmed.")
    return lines


def describe_spending(spending: Spending) -> str:
    """Worker seconds in all and by part, the clock, and the budget."""
    parts = [
        ("trials", spending.trials_s),
        ("finalists", spending.finals_s),
        ("confirmation", spending.confirmation_s),
    ]
    each = ", ".join(f"{name} {_amount(spending, seconds)}" for name, seconds in parts if seconds)
    text = f"{_total(spending)}, evaluation included ({each})"
    if spending.wall_s is not None:
        text += f"; {spending.wall_s / 60:.1f} min by the clock"
    return text if spending.budget is None else f"{text}; the budget was {spending.budget}"


def spending_tag(spending: Spending) -> str:
    """The sum and the budget, in a few words."""
    budget = "" if spending.budget is None else f" of {spending.budget}"
    return f"{_total(spending)}{budget}"


def _total(spending: Spending) -> str:
    minutes = f"{spending.total_s / 60:.1f} worker minutes"
    retrainings = spending.retrainings(spending.total_s)
    return minutes if retrainings is None else f"{retrainings:.2f} retrainings, {minutes}"


def _amount(spending: Spending, seconds: float) -> str:
    retrainings = spending.retrainings(seconds)
    return f"{seconds / 60:.1f} min" if retrainings is None else f"{retrainings:.2f}"
