"""`forget`: a model and data sets in memory become a model that has forgotten."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from antisample.config import UnlearnConfig
from antisample.datasets.config import IN_MEMORY
from antisample.determinism import deterministic
from antisample.device import Precision, choose_device
from antisample.errors import ConfigError
from antisample.export.unlearned import Provenance, finish_unlearning
from antisample.inputs import load_inputs, request_data
from antisample.methods import find_method
from antisample.models.in_memory import name_in_memory
from antisample.objects.result import ForgetResult
from antisample.objects.subject import Normalisation, Subject, check_request, read_subject, returned_model
from antisample.objects.words import in_own_words, own_words
from antisample.seeds import undisturbed
from antisample.validation.settings import shown
from antisample.validation.spelling import did_you_mean

_CACHE_DIR = Path("runs/cache")
_ARGUMENTS = (
    "classes",
    "samples",
    "method",
    "validation",
    "class_names",
    "normalisation",
    "stages",
    "seed",
    "device",
    "precision",
    "evaluation",
    "accept_original",
    "cache_dir",
)


def forget(
    model: nn.Module,
    train: Any,
    test: Any,
    *,
    classes: Any = None,
    samples: Any = None,
    method: str = "antisample",
    validation: Any = None,
    class_names: Sequence[str] | None = None,
    normalisation: Normalisation | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "float32",
    evaluation: Mapping[str, Any] | None = None,
    stages: Sequence[str] = (),
    accept_original: bool = False,
    cache_dir: Path | str = _CACHE_DIR,
    **hyperparameters: Any,
) -> ForgetResult:
    """Makes a copy of a model forget classes, or single training images.

    Images of floats are given to the model as they are. Images of whole numbers are pixels, which are normalised
    first: as `normalisation` says, or else as it is found by trying the common normalisations.

    Args:
        model: Any classifier; it stays as it is.
        train: The images it was trained on: a pair (images, labels) of arrays or tensors, images [n, channels,
            height, width]; a torch Dataset of pairs (image, label); a DataLoader; or a Hugging Face data set.
        test: Images it was not trained on, likewise. Half of them are used for validation, unless there are others.
        classes: Labels or class names to forget.
        samples: Positions in `train` to forget; either these or `classes`.
        method: The unlearning method.
        validation: Images for validation, likewise.
        class_names: One for each output of the model; by default what `train` states, or the labels.
        normalisation: What the model expects of pixels: `0..1`, `data`, `imagenet`, `-1..1`, `0..255`, or a pair
            (mean, std) of pixels scaled to [0, 1], with a value for each channel.
        seed: Random seed of the unlearning.
        device: Where to compute: `auto` uses a GPU if there is one; otherwise `cpu`, `cuda` or, say, `cuda:1`.
        precision: Of the training.
        evaluation: How metrics are computed: keys of `evaluation` in a study file, such as `{"final": ["probe"]}`.
        stages: Dotted names of the modules that are the network's stages, which the probe reads; by default they are
            looked for.
        accept_original: Whether to continue with a model that is no better than guessing.
        cache_dir: Where neighbours are cached, and images of data sets that yield others each time.
        **hyperparameters: Of the method.

    Returns:
        The model with its figures.

    Raises:
        ConfigError: If the model or an argument cannot be used.
        DataError: If a data set cannot be read, or does not fit the model.
        DivergedError: If the training diverged.
    """
    with own_words():
        config = _config(
            classes=classes,
            samples=samples,
            method=method,
            seed=seed,
            device=device,
            precision=precision,
            evaluation=evaluation,
            accept_original=accept_original,
            cache_dir=cache_dir,
            hyperparameters=hyperparameters,
        )
        subject = read_subject(
            config.data,
            config.split,
            config.forget,
            model,
            train,
            test,
            validation,
            class_names,
            normalisation,
            stages,
        )
        config = config.model_copy(update={"model": subject.model_config(accept_original=accept_original)})
        provenance = Provenance(_call(config, hyperparameters), {"called from": "Python"})
        return unlearned_subject(config, subject, provenance)


def unlearned_subject(
    config: UnlearnConfig, subject: Subject, provenance: Provenance, threads: int | None = None
) -> ForgetResult:
    """Unlearns objects in memory, repeatably.

    Args:
        config: What to forget, and how.
        subject: The objects.
        provenance: For the card.
        threads: Threads of the processor; by default as many as torch takes.
    """
    with undisturbed(choose_device(config.device)), deterministic(threads) as not_deterministic:
        request = request_data(config, subject.dataset, original=subject.original)
        inputs = load_inputs(config, data=request, original=subject.original)
        finished = finish_unlearning(config, inputs, not_deterministic)
        rows = finished.metrics(provenance)
    notes = tuple(map(in_own_words, inputs.notes))
    model = returned_model(subject, finished.running.model.state_dict())
    return ForgetResult(model, dict(finished.last.metrics.values), rows, notes, finished, provenance)


def _config(
    *,
    classes: Any,
    samples: Any,
    method: str,
    accept_original: bool,
    cache_dir: Path | str,
    evaluation: Mapping[str, Any] | None,
    hyperparameters: Mapping[str, Any],
    **others: Any,
) -> UnlearnConfig:
    """The configuration, as far as it is known before data and model are looked at."""
    check_request(classes, samples)
    if not isinstance(method, str):
        raise ConfigError(f"`method` must be the name of a method, but got {shown(method)}.")
    own = [name for name in find_method(method).config_type.model_fields if name != "name"]
    problems = [
        f"`{name}` is neither an argument nor a hyperparameter of the method {method!r}."
        f"{did_you_mean(name, [*own, *_ARGUMENTS])}"
        for name in hyperparameters
        if name not in own
    ]
    if problems:
        raise ConfigError(problems)
    return UnlearnConfig.parse(
        {
            "data": {"source": IN_MEMORY, "cache_dir": cache_dir},
            "model": {"name": name_in_memory(nn.Identity()), "accept_original": accept_original},
            "forget": {"classes": classes} if samples is None else {"samples": samples},
            "method": {"name": method, **hyperparameters},
            "evaluation": {} if evaluation is None else evaluation,
            **others,
        }
    )


def _call(config: UnlearnConfig, hyperparameters: Mapping[str, Any]) -> str:
    """The call that does the same again."""
    request = config.forget
    what = f"samples={list(request.samples)}" if request.samples else f"classes={list(request.classes)}"
    values = {"method": config.method.name, "seed": config.seed, "precision": config.precision, **hyperparameters}
    return (
        f"antisample.forget(model, train, test, {what}, " + ", ".join(f"{k}={v!r}" for k, v in values.items()) + ")"
    )
