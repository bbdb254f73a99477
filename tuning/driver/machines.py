"""The machines that trials may run on, while a search runs: some die, others join."""

import time
from collections.abc import Callable, Sequence

import ray

from tuning.config.study import StudyConfig
from tuning.driver.capacity import Machine, TrialResources, this_machine

_LOOK_EVERY_S = 1.0


def machines() -> list[Machine]:
    """The living machines of the Ray cluster that this process is in, or this machine where it is in none."""
    if not ray.is_initialized():
        return [this_machine()]
    offers = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    return [Machine(offer.get("CPU", 0.0), offer.get("GPU", 0.0)) for offer in offers]


def worker_share(config: StudyConfig, offered: Sequence[Machine], whose: str | None = None) -> TrialResources:
    """What one trial of a study takes of these machines; `whose` as in `TrialResources.of`.

    Raises:
        ConfigError: If none of them has it.
    """
    wanted = config.resources
    return TrialResources.of(
        offered,
        wanted.cpus_per_trial,
        wanted.gpus_per_trial,
        config.device,
        "resources.cpus_per_trial",
        "resources.gpus_per_trial",
        whose,
    )


def live_slots(share: TrialResources, most: int | None) -> Callable[[], int]:
    """Counts how many trials the cluster holds at the moment of a call, looking once a second at most.

    Args:
        share: What one trial takes.
        most: Never more than this; None for no limit.

    Returns:
        The function that counts; at least 1, since a cluster without machines may get one.
    """
    seen, until = 1, 0.0

    def count() -> int:
        nonlocal seen, until
        if time.monotonic() >= until:
            slots = share.slots(machines())
            seen, until = max(1, min(slots, most or slots)), time.monotonic() + _LOOK_EVERY_S
        return seen

    return count
