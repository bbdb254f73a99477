"""Search spaces, published starting points and recipes: data, and the small modules that load them."""

from search_spaces.parameters import ChoiceParameter, NumberParameter, Parameter, Value
from search_spaces.published import PublishedSet, published_set, published_sets
from search_spaces.recipes import Recipe, load_recipes, packaged_recipes
from search_spaces.space import SearchSpace, SpaceError, earlier_space, load_space, space_names

__all__ = [
    "ChoiceParameter",
    "NumberParameter",
    "Parameter",
    "PublishedSet",
    "Recipe",
    "SearchSpace",
    "SpaceError",
    "Value",
    "earlier_space",
    "load_recipes",
    "load_space",
    "packaged_recipes",
    "published_set",
    "published_sets",
    "space_names",
]
