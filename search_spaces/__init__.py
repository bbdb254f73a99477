"""Search spaces and published starting points: data, and the small module that loads them."""

from search_spaces.published import PublishedSet, published_set, published_sets
from search_spaces.space import (
    ChoiceParameter,
    NumberParameter,
    Parameter,
    SearchSpace,
    SpaceError,
    Value,
    load_space,
    space_names,
)

__all__ = [
    "ChoiceParameter",
    "NumberParameter",
    "Parameter",
    "PublishedSet",
    "SearchSpace",
    "SpaceError",
    "Value",
    "load_space",
    "published_set",
    "published_sets",
    "space_names",
]
