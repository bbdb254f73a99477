"""Messages about objects in memory: they name arguments of Python where others name keys of a file."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from antisample.errors import ConfigError
from antisample.metrics.original_accuracy import ACCEPT

_KEYS = re.compile(r"`(?:method|forget|model)\.(\w+)`")
_REPLACED = (
    (re.compile(r"`model\.name` 'in memory:[^']*'"), "`model`"),
    (re.compile(r"[Tt]he network in memory:\w+"), "`model`"),
    (re.compile(re.escape(ACCEPT)), "To continue anyway, use `accept_original=True`."),
    (
        re.compile(r"Specify it with `--normalisation`, one of (.*), or MEAN/STD \(.*\)\."),
        r"Give `normalisation`: one of \1, or a pair (mean, std) with a value for each channel.",
    ),
    (
        re.compile(r"The model: does not state the normalisation that the model expects, and"),
        "The images are pixels, and it is not known how the model expects them to be normalised:",
    ),
    (re.compile(r"does not state the normalisation that the model expects;"), "does not state its normalisation;"),
    (re.compile(r"(`forget\.samples` must be positions[\w ]*) or files"), r"\1"),
    (re.compile(r"`method\.name`"), "`method`"),
    (re.compile(r"`data\.cache_dir`"), "`cache_dir`"),
    (re.compile(r"; or set `split\.validation_from` to train or test"), ""),
    (
        re.compile(r"`split\.validation_fraction` [\d.]+ of the (\w+) split leaves"),
        r"Half of the images of \1 are used for validation, which leaves",
    ),
)


def in_own_words(problem: str) -> str:
    """A problem as a caller of Python functions understands it."""
    for pattern, words in _REPLACED:
        problem = pattern.sub(words, problem)
    return _KEYS.sub(r"`\1`", problem)


@contextmanager
def own_words() -> Iterator[None]:
    """Within the block, ConfigErrors speak of arguments; see `in_own_words`."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError([in_own_words(problem) for problem in error.problems], error.source) from None
