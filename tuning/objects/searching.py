"""`search`: a study of a model and data sets in memory."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from torch import nn

from antisample.config import validation_problems
from antisample.datasets.config import IN_MEMORY
from antisample.errors import ConfigError
from antisample.models.in_memory import name_in_memory
from antisample.objects.subject import Normalisation, check_request, read_subject
from antisample.objects.words import own_words
from antisample.validation.spelling import did_you_mean
from tuning.config.study import StudyConfig
from tuning.config.trial_plan import TrialPlan
from tuning.driver.run import listener_of, run
from tuning.objects.result import SearchResult
from tuning.study.directory import open_study
from tuning.study.progress_listener import ProgressListener
from tuning.worker.inputs import ObjectsInMemory

_OF_OBJECTS = {"data", "model", "forget", "split"}
"""Keys of a study file that arguments of their own take the place of."""
_ARGUMENTS = (
    "classes",
    "samples",
    "validation",
    "class_names",
    "normalisation",
    "stages",
    "accept_original",
    "cache_dir",
)


def search(
    model: nn.Module,
    train: Any,
    test: Any,
    *,
    classes: Any = None,
    samples: Any = None,
    n_trials: int = 50,
    name: str = "search",
    validation: Any = None,
    class_names: Sequence[str] | None = None,
    normalisation: Normalisation | None = None,
    stages: Sequence[str] = (),
    accept_original: bool = False,
    cache_dir: Path | str = Path("runs/cache"),
    progress: ProgressListener | bool = True,
    **settings: Any,
) -> SearchResult:
    """Searches the hyperparameters that make a model forget well.

    Objects travel to the workers through Ray's object store. A study of this name in `runs_dir` is continued, if
    data, model and request are the same: their fingerprints are compared.

    Args:
        model: See `antisample.forget`, as all arguments that are not described here.
        train: The images that the model was trained on.
        test: Images that it was not trained on.
        classes: Labels or class names to forget.
        samples: Positions in `train` to forget; either these or `classes`.
        n_trials: Number of trials to finish.
        name: Of the study's directory in `runs_dir`.
        validation: Images for validation.
        class_names: One for each output of the model.
        normalisation: What the model expects of pixels.
        stages: Dotted names of the modules that are the network's stages, which the probe reads; by default they are
            looked for.
        accept_original: Whether to continue with a model that is no better than guessing.
        cache_dir: Where neighbours are cached, and images of data sets that yield others each time.
        progress: Whether to show what happens; or who is told.
        **settings: Further keys of a study file, such as `method`, `seed`, `confirm_seeds` or `runs_dir`.

    Returns:
        The trials, the front and the chosen model.

    Raises:
        ConfigError: If the model or an argument cannot be used.
        DataError: If a data set cannot be read or does not fit the model, or the study was begun with other objects.
        InterruptedStudyError: If the user stopped the search; the same call continues it.
    """
    with own_words():
        config = _config(classes, samples, name, n_trials, accept_original, cache_dir, settings)
        subject = read_subject(
            config.data,
            config.split,
            config.forget[0],
            model,
            train,
            test,
            validation,
            class_names,
            normalisation,
            stages,
        )
        named = subject.model_config(accept_original=accept_original)
        config = config.model_copy(update={"model": named})
        objects = ObjectsInMemory(subject.dataset, subject.original)
        done = run(config, listener_of(progress), objects=objects)
    return SearchResult(subject, open_study(config.directory), done.outcome)


def _config(
    classes: Any,
    samples: Any,
    name: str,
    n_trials: int,
    accept_original: bool,
    cache_dir: Path | str,
    settings: Mapping[str, Any],
) -> StudyConfig:
    """The study, as far as it is known before data and model are looked at; everything wrong with it is said."""
    check_request(classes, samples)
    keys = [key for key in StudyConfig.model_fields if key not in _OF_OBJECTS]
    problems = [
        f"`{key}` is neither an argument nor a key of a study.{did_you_mean(key, [*keys, *_ARGUMENTS])}"
        for key in settings
        if key not in keys
    ]
    if problems:
        raise ConfigError(problems)
    values = {
        "name": name,
        "data": {"source": IN_MEMORY, "cache_dir": cache_dir},
        "split": {},
        "model": {"name": name_in_memory(nn.Identity()), "accept_original": accept_original},
        "forget": {"classes": classes} if samples is None else {"samples": samples},
        "n_trials": n_trials,
        **settings,
    }
    try:
        config = StudyConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(validation_problems(error)) from None
    TrialPlan.of(config)
    return config
