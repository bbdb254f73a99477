"""How a builder is called: with the numbers of classes and channels by its own names, and with `model.arguments`."""

import copy
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from torch import nn

from antisample.errors import ConfigError

# Names in lower case, without underscores. The second of each may mean something else: the size of an embedding, a
# width.
_CLASSES = (
    re.compile(
        r"(n|nb|num|noof|numberof|out|output)(classes|class|cls|labels|categories)|classes|(class|label)(count|num)"
    ),
    re.compile(r"out(put)?(features?|dims?|size)|dimout|(n|nb|num)(out|outputs?|targets)"),
)
_CHANNELS = (
    re.compile(r"(n|nb|num)?(in|input|image|img|im|colou?r)(channels?|chans?|ch)|(channels|ch)in"),
    re.compile(r"(n|nb|num)?(channels?|chans?)|(n|nb|num)ch"),
)
_MOST_CHANNELS = 4
_PASSED_ON = "num_classes"


@dataclass(frozen=True)
class BuilderCall:
    """What a builder is called with.

    Attributes:
        name: Of the model, as `antisample.models.build_model` takes it.
        values: Values by name, in the order in which they are written.
        positional: The values of parameters that have to be given by position.
    """

    name: str
    values: dict[str, Any]
    positional: tuple[Any, ...] = ()

    def __call__(self, builder: Callable[..., object]) -> object:
        """Calls the builder; it gets copies, so that what it does to them stays without consequence."""
        skipped = len(self.positional)
        named = dict(list(self.values.items())[skipped:]) if skipped else self.values
        return builder(*copy.deepcopy(self.positional), **copy.deepcopy(named))

    def __str__(self) -> str:
        """The call as code, such as `my.models:AllCNN(n_channels=3, num_classes=10)`."""
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.values.items())})"


def builder_call(
    builder: Callable[..., object], name: str, n_classes: int, in_channels: int, arguments: Mapping[str, Any]
) -> BuilderCall:
    """Finds out how a builder is called for data.

    The numbers of classes and of channels go to the parameters that are named for them, whatever their defaults; the
    first such parameter gets the number, and names that are used for nothing else come before those that may mean
    something else, such as `out_features`. A name such as `channels` with a default above 4 is no number of image
    channels. A builder that passes `**kwargs` on gets `num_classes`.

    Args:
        builder: What is called; not called here.
        name: Of the model, for messages.
        n_classes: Number of outputs.
        in_channels: Channels of the images.
        arguments: What else it gets, by name.

    Returns:
        The call.

    Raises:
        ConfigError: If the builder does not take an argument, lacks one, has no name for the number of classes, or an
            argument contradicts the data.
    """
    try:
        plain = (
            inspect.isclass(builder) and builder.__init__ is nn.Module.__init__
        )  # which takes anything, and raises
        parameters = [] if plain else list(inspect.signature(builder).parameters.values())
    except (ValueError, TypeError):  # written in C
        if not arguments:
            raise ConfigError(
                f"`model.name` {name!r} has no signature that Python can read, so its arguments must be given in "
                "`model.arguments`."
            ) from None
        return BuilderCall(name, dict(arguments))
    signature = _signature(name, parameters)
    named = {p.name: p for p in parameters if p.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)}
    passes_on = any(p.kind is Parameter.VAR_KEYWORD for p in parameters)
    for argument in arguments:
        if argument not in named and not passes_on:
            raise ConfigError(
                f"`model.name` {name!r} has no parameter `{argument}`, which is in `model.arguments`: its signature "
                f"is {signature}."
            )
    classes = _recipient(named.values(), _CLASSES, None)
    if classes is None and passes_on and not any(_rank(word, _CLASSES) is not None for word in arguments):
        classes = _PASSED_ON
    channels = _recipient(named.values(), _CHANNELS, _MOST_CHANNELS)
    words = {word: value for word, value in arguments.items() if word in (classes, channels) or _is_number(value)}
    _check_contradictions(words, n_classes, in_channels)
    handed = {word: number for word, number in ((classes, n_classes), (channels, in_channels)) if word is not None}
    values = handed | dict(arguments)
    missing = [word for word, p in named.items() if p.default is Parameter.empty and word not in values]
    if classes is None and not arguments and parameters:
        raise ConfigError(
            f"`model.name` {name!r} has no parameter for the number of classes with a name such as `num_classes`, so "
            f"its arguments must be given in `model.arguments`: its signature is {signature}."
        )
    if missing:
        raise ConfigError(
            f"`model.name` {name!r} needs {', '.join(f'`{word}`' for word in missing)}, which must be given in "
            f"`model.arguments`: its signature is {signature}."
        )
    return _ordered(name, values, named)


def _ordered(name: str, values: dict[str, Any], named: Mapping[str, Parameter]) -> BuilderCall:
    """The call with parameters in the builder's order, those without a name in calls first."""
    by_position = [word for word, p in named.items() if p.kind is Parameter.POSITIONAL_ONLY]
    while by_position and by_position[-1] not in values:
        by_position.pop()
    first = {word: values.get(word, named[word].default) for word in by_position}
    ordered = first | {word: values[word] for word in named if word in values} | values
    return BuilderCall(name, ordered, tuple(first.values()))


def _recipient(parameters: Iterable[Parameter], ranks: tuple[re.Pattern[str], ...], most: int | None) -> str | None:
    """The parameter that a number goes to; None if there is none."""
    candidates = [
        (rank, parameter.name)
        for parameter in parameters
        if (rank := _rank(parameter.name, ranks)) is not None and _takes_number(parameter, most if rank else None)
    ]
    return min(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


def _takes_number(parameter: Parameter, most: int | None) -> bool:
    """Whether a number fits in the place of its default: a list of names, say, or a large width is something else."""
    default = parameter.default
    if default is Parameter.empty or default is None:
        return True
    return isinstance(default, int) and not isinstance(default, bool) and (most is None or default <= most)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _check_contradictions(arguments: Mapping[str, Any], n_classes: int, in_channels: int) -> None:
    for argument, value in arguments.items():
        for ranks, number, what in ((_CLASSES, n_classes, "classes"), (_CHANNELS, in_channels, "channels")):
            if _rank(argument, ranks) == 0 and value != number:
                raise ConfigError(
                    f"`model.arguments.{argument}` must be {number}, the number of {what} of the data, but got "
                    f"{value!r}; it can be omitted."
                )


def _rank(word: str, ranks: tuple[re.Pattern[str], ...]) -> int | None:
    plain = word.lower().replace("_", "")
    return next((rank for rank, words in enumerate(ranks) if words.fullmatch(plain)), None)


def _signature(name: str, parameters: list[Parameter]) -> str:
    """The builder's name and parameters as its code has them, without types."""
    plain = inspect.Signature([parameter.replace(annotation=Parameter.empty) for parameter in parameters])
    return " ".join(f"{name.rpartition(':')[2]}{plain}".split())
