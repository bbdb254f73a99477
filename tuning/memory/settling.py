"""The memory of a new study: settled once, when it begins, and kept with it."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tuning.config.starting_points import RECIPE
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.memory.discovery import Earlier, earlier_studies, named_studies, packaged_studies
from tuning.memory.evidence import EarlierStudy, Request, request_of
from tuning.memory.fitting import Fitting
from tuning.memory.portfolio import MOST, Tier, choose_portfolio
from tuning.study.attributes import Remembered, RememberedConfiguration

PACKAGED = "packaged"
"""Why a configuration is taken that no study of the user's has tried."""
_LISTED = 5
"""So many studies are named in a sentence, or one by one."""


def settle_memory(
    config: StudyConfig, fingerprints: Mapping[str, str], labels: Iterable[Iterable[int]]
) -> Remembered | None:
    """What a new study takes over from earlier requests; nothing of it changes afterwards.

    Args:
        config: The study, settled in all else.
        fingerprints: Of its data and original model.
        labels: The classes to forget of each of its requests.

    Returns:
        The configurations to try and what is to be said; None where the study has no memory.

    Raises:
        ConfigError: If the folder or file that it names holds nothing for its method.
        DataError: If the file cannot be used.
    """
    if config.memory == "none":
        return None
    request = request_of(config, fingerprints, labels)
    earlier = gathered(config)
    tiers = find_tiers(config, request, earlier.studies)
    configurations = choose_portfolio(tiers, Fitting(TrialPlan.of(config)))
    own = [each for each in configurations if each["why"] != PACKAGED]
    recipes = _recipes_beside(config, own)
    tried = [
        params for origin, params in TrialPlan.of(config).starting_points if origin.removeprefix(RECIPE) in recipes
    ]
    packaged = [each for each in configurations if each["why"] == PACKAGED and each["params"] not in tried]
    left = max(0, MOST - len(own) - len(recipes))
    return {"source": config.memory, "configurations": [*own, *packaged[:left]], "skipped": list(earlier.skipped)}


def gathered(config: StudyConfig) -> Earlier:
    """The earlier studies that the memory of a study consists of, without packaged ones."""
    if config.memory == "auto":
        found = earlier_studies(config.runs_dir, config.method, config.storage)
    else:
        found = named_studies(config.memory, config.method, config.storage)
    return found


def find_tiers(config: StudyConfig, request: Request, studies: Sequence[EarlierStudy]) -> list[Tier]:
    """Earlier studies by how near they are: same model, same architecture, then packaged ones, or others if named.

    Studies of the same request are left out, so that a repetition does not depend on what it repeats; a user who
    names the folder of one study asks for it. Classes and samples do not learn from each other.

    Args:
        config: The new study.
        request: Its request.
        studies: Those of its method.
    """
    asked_for = config.memory not in ("auto", "none") and (Path(config.memory) / "study.yaml").is_file()
    others = [each for each in _alike(studies, request) if asked_for or each.request != request]
    by_nearness: list[list[EarlierStudy]] = [[], [], []]
    for study in others:
        same_model = study.request.model != "" and study.request.model == request.model
        by_nearness[0 if same_model else 1 if study.request.architecture == request.architecture else 2].append(study)
    tiers = [Tier("same model", by_nearness[0]), Tier("same architecture", by_nearness[1])]
    if config.memory != "auto":
        return [*tiers, Tier("another architecture", by_nearness[2])]
    packaged = [each for each in _alike(packaged_studies(), request) if each.request != request]
    return [*tiers, Tier(PACKAGED, [each for each in packaged if each.method == config.method])]


def _alike(studies: Iterable[EarlierStudy], request: Request) -> list[EarlierStudy]:
    return [study for study in studies if study.request.by_samples == request.by_samples]


def with_fewer_recipes(config: StudyConfig, memory: Remembered | None) -> StudyConfig:
    """The study with the recipes that it tries beside its memory.

    Args:
        config: Its recipes are spelled out.
        memory: What it takes over.
    """
    if memory is None:
        return config
    own = [each for each in memory["configurations"] if each["why"] != PACKAGED]
    return config.model_copy(update={"recipes": _recipes_beside(config, own)})


def _recipes_beside(config: StudyConfig, own: Sequence[RememberedConfiguration]) -> tuple[str, ...]:
    """Names of the recipes that are tried beside configurations from the user's own studies.

    Each of these takes the place of a recipe, the last first; recipes that the user names all stay.
    """
    plan = TrialPlan.of(config)
    every = TrialPlan.of(config.model_copy(update={"recipes": True})).recipes
    if plan.recipes != every:
        return plan.recipes
    remembered = [each["params"] for each in own]
    points = [(origin, params) for origin, params in plan.starting_points if origin.startswith(RECIPE)]
    left = [origin.removeprefix(RECIPE) for origin, params in points if params not in remembered]
    return tuple(left[: max(0, len(every) - len(own))])


def describe_memory(memory: Remembered) -> str:
    """What a study has taken over, in words."""
    chosen = memory["configurations"]
    if not chosen:
        return "no configuration, since no earlier request has one that fits and did well"
    names = list(dict.fromkeys(name for each in chosen for name in each["ranks"]))
    listed = ", ".join(names[:_LISTED]) + (", ..." if len(names) > _LISTED else "")
    which = "1 configuration that" if len(chosen) == 1 else f"{len(chosen)} configurations that"
    requests = "1 earlier request" if len(names) == 1 else f"{len(names)} earlier requests"
    whys = ", ".join(dict.fromkeys(each["why"] for each in chosen))
    return f"{which} did best in {requests} ({listed}; {whys})"


def describe_skipped(memory: Remembered) -> list[str]:
    """What could not be used and why, in sentences; not all of it where there is much."""
    skipped = memory["skipped"]
    more = f"{len(skipped) - _LISTED} more are left out; `antisample memory list` names them"
    return [*skipped[:_LISTED], more] if len(skipped) > _LISTED else list(skipped)
