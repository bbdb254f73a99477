"""`forget`: a model and data sets in memory become a model that has forgotten."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from antisample.checkpoints.channel_values import checked_preprocessing
from antisample.config import UnlearnConfig
from antisample.data.splits import make_splits
from antisample.datasets.config import IN_MEMORY
from antisample.determinism import deterministic
from antisample.device import Precision, choose_device
from antisample.errors import ConfigError
from antisample.export.unlearned import Provenance, finish_unlearning
from antisample.inputs import RequestData, load_inputs, request_data
from antisample.methods import find_method
from antisample.models.in_memory import name_in_memory
from antisample.models.masked_outputs import with_outputs_of
from antisample.models.normalisation import NORMALISATIONS, usual_normalisation
from antisample.models.original import OriginalModel
from antisample.objects.dataset import ObjectData, read_objects
from antisample.objects.original import copied_network, found_normalisation, original_in_memory, output_count
from antisample.objects.result import ForgetResult
from antisample.objects.words import in_own_words, own_words
from antisample.seeds import undisturbed
from antisample.types import Dataset, Preprocessing, Splits
from antisample.validation.settings import shown
from antisample.validation.spelling import did_you_mean

Normalisation = str | tuple[Sequence[float], Sequence[float]]
"""Name of a common normalisation, or mean and standard deviation with a value for each channel."""

_CACHE_DIR = Path("runs/cache")
_ARGUMENTS = (
    "classes",
    "samples",
    "method",
    "validation",
    "class_names",
    "normalisation",
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
        subject = read_subject(config, model, train, test, validation, class_names, normalisation)
        with undisturbed(choose_device(config.device)), deterministic() as not_deterministic:
            inputs = load_inputs(subject.config, data=subject.request, original=subject.original)
            finished = finish_unlearning(subject.config, inputs, not_deterministic)
            provenance = Provenance(_call(config, hyperparameters), {"called from": "Python"})
            rows = finished.metrics(provenance)
    unlearned = returned_model(model, subject.network, finished.running.model)
    return ForgetResult(unlearned, dict(finished.last.metrics.values), rows, inputs.notes, finished, provenance)


@dataclass(frozen=True)
class Subject:
    """Objects in memory as the core takes them.

    Attributes:
        config: Names what has to be named.
        network: A copy of the model, on the CPU.
        request: Data and splits.
        original: The original model.
    """

    config: UnlearnConfig
    network: nn.Module
    request: RequestData
    original: OriginalModel


def read_subject(
    config: UnlearnConfig,
    model: nn.Module,
    train: Any,
    test: Any,
    validation: Any,
    class_names: Sequence[str] | None,
    normalisation: Normalisation | None,
) -> Subject:
    """Reads the objects and checks that they go together; see `forget`.

    Raises:
        AntisampleError: If they do not.
    """
    network = copied_network(model)
    cache_dir = Path(config.data.cache_dir)
    by_samples = bool(config.forget.samples)
    data = read_objects(train, test, validation, cache_dir, class_names, by_samples=by_samples)
    stated = _stated(normalisation, data)
    dataset = data.dataset(output_count(network, data))
    splits = make_splits(dataset, config.forget, config.split, has_checkpoint=True)
    preprocessing = data.preprocessing
    notes: tuple[str, ...] = ()
    if isinstance(stated, str):
        preprocessing = usual_normalisation(stated, dataset)
    elif stated is not None:
        preprocessing = stated
    if preprocessing is None:
        preprocessing, notes = _tried(network, dataset, splits)
    original = original_in_memory(network, dataset, preprocessing)
    original = replace(original, notes=(*original.notes, *notes))
    named = config.model.model_copy(
        update={"name": original.name, "mean": preprocessing.mean, "std": preprocessing.std}
    )
    config = config.model_copy(update={"model": named})
    return Subject(config, network, request_data(config, dataset, original), original)


def returned_model(given: nn.Module, network: nn.Module, unlearned: nn.Module) -> nn.Module:
    """A model of the class and on the device of the one that was given, with other weights, in eval mode.

    Args:
        given: The caller's.
        network: A copy of it.
        unlearned: Has the weights, and masked outputs where the method masks.
    """
    weights = {name: value.detach().cpu() for name, value in unlearned.state_dict().items()}
    model = with_outputs_of(copy.deepcopy(network), weights)
    model.load_state_dict(weights)
    tensors: Iterable[Any] = (*given.parameters(), *given.buffers())
    place = next((each.device for each in tensors), None)
    return model.to(place).eval()


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


def check_request(classes: Any, samples: Any) -> None:
    """Checks that one of both is given, and that samples are positions.

    Raises:
        ConfigError: If not.
    """
    if (classes is None) == (samples is None):
        got = "neither" if classes is None else "both"
        raise ConfigError(f"Either `classes` or `samples` must be given, but got {got}.")
    if isinstance(samples, str | Path) or (
        isinstance(samples, Iterable) and any(isinstance(each, str) for each in samples)
    ):
        raise ConfigError(f"`samples` must be positions in `train`, from 0, but got {shown(samples)}.")


def _stated(normalisation: Normalisation | None, data: ObjectData) -> str | Preprocessing | None:
    """The normalisation that the caller states, checked."""
    if normalisation is None:
        return None
    if data.preprocessing is not None:
        raise ConfigError(
            "`normalisation` is for images of whole numbers, but got images of floats, which the model is given as "
            "they are; leave it out."
        )
    if isinstance(normalisation, str):
        if normalisation not in NORMALISATIONS:
            raise ConfigError(
                f"`normalisation` must be one of {', '.join(NORMALISATIONS)}, or a pair (mean, std), but got "
                f"{shown(normalisation)}.{did_you_mean(normalisation, NORMALISATIONS)}"
            )
        return normalisation
    return _mean_and_std(normalisation, data.train.images.shape[1])


def _mean_and_std(normalisation: Any, channels: int) -> Preprocessing:
    if not isinstance(normalisation, tuple | list) or len(normalisation) != 2:
        raise ConfigError(
            f"`normalisation` must be one of {', '.join(NORMALISATIONS)}, or a pair (mean, std), but got "
            f"{shown(normalisation)}."
        )
    try:
        preprocessing = checked_preprocessing(*normalisation)
    except ValueError as error:
        raise ConfigError(f"`normalisation`: {error}.") from error
    if len(preprocessing.mean) != channels:
        raise ConfigError(
            f"`normalisation` must have a value for each of the {channels} channels of the images, but got "
            f"{len(preprocessing.mean)}."
        )
    return preprocessing


def _tried(network: nn.Module, dataset: Dataset, splits: Splits) -> tuple[Preprocessing, tuple[str, ...]]:
    preprocessing, note = found_normalisation(network, dataset, splits)
    return preprocessing, (in_own_words(note),)


def _call(config: UnlearnConfig, hyperparameters: Mapping[str, Any]) -> str:
    """The call that does the same again."""
    request = config.forget
    what = f"samples={list(request.samples)}" if request.samples else f"classes={list(request.classes)}"
    values = {"method": config.method.name, "seed": config.seed, "precision": config.precision, **hyperparameters}
    return (
        f"antisample.forget(model, train, test, {what}, " + ", ".join(f"{k}={v!r}" for k, v in values.items()) + ")"
    )
