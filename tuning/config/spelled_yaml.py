"""YAML whose names keep their spelling: a class called `no`, `010` or `1.0` is no boolean and no number.

PyYAML decides by its looks what a plain scalar is, before anybody knows what it is for. Here the configuration it is
read into decides: where that takes text, such as a name, a label, a sample id or a path, a scalar stays as written.
"""

import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from antisample.errors import ConfigError
from search_spaces.yaml_loader import DuplicateKeyError, UniqueKeyLoader

_TEXT = (str, Path)
_BESIDE_TEXT = (int, types.NoneType)
_NULL, _BOOLEAN = "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool"
_PLAIN = ("tag:yaml.org,2002:merge", "tag:yaml.org,2002:value")  # << and = where they are no keys


def load_spelled(text: str, kind: Any) -> Any:
    """Reads YAML for a configuration.

    Args:
        text: The YAML.
        kind: What it is read into: a pydantic model, or the annotation of one of its fields.

    Returns:
        Plain values, not validated.

    Raises:
        ConfigError: If it is not YAML, or a key stands twice.
    """
    try:
        return _read(UniqueKeyLoader(text), kind)
    except DuplicateKeyError as error:
        raise ConfigError(f"{error}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: 2024-13-45 looks like a date
        raise ConfigError(f"not readable as YAML: {' '.join(str(error).split())}.") from error


def _read(loader: UniqueKeyLoader, kind: Any) -> Any:
    try:
        node = loader.get_single_node()
        return None if node is None else _value(loader, node, kind)
    finally:
        loader.dispose()


def kind_of(kind: Any, key: str) -> Any:
    """What a key of a configuration holds; `Any` if it has no such key, or takes any."""
    return _kinds_by_key(kind).get(key, _other_keys(kind))


def _value(loader: UniqueKeyLoader, node: yaml.Node, kind: Any) -> Any:
    if isinstance(node, yaml.MappingNode) and _kinds_by_key(kind):
        loader.flatten_mapping(node)
        return {_key(key): _value(loader, value, kind_of(kind, str(key.value))) for key, value in node.value}
    item = _item_kind(kind)
    if isinstance(node, yaml.SequenceNode) and item is not Any:
        return [_value(loader, each, item) for each in node.value]
    is_item = item is not Any and not _stands_for_itself(node, kind)
    if isinstance(node, yaml.ScalarNode) and (
        _keeps_spelling(node, kind) or (is_item and _keeps_spelling(node, item))
    ):
        return node.value
    return loader.construct_object(node, deep=True)


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise yaml.YAMLError(f"a key must be text, in line {node.start_mark.line + 1}")
    return str(node.value)


def _stands_for_itself(node: yaml.Node, kind: Any) -> bool:
    """Whether it is nothing, true or false, in the place of a sequence that may be that."""
    return {_NULL: types.NoneType, _BOOLEAN: bool}.get(node.tag) in tuple(_options(kind))


def _keeps_spelling(node: yaml.ScalarNode, kind: Any) -> bool:
    options = list(_options(kind))
    texts = [option for option in options if option in _TEXT]
    if not texts or any(option not in (*_TEXT, *_BESIDE_TEXT) and not _is_text(option) for option in options):
        return False
    if node.tag == _NULL and (not node.value or types.NoneType in options):
        return False
    return node.tag in _PLAIN or node.tag in UniqueKeyLoader.yaml_constructors  # !!python/object is refused later


def _is_text(option: Any) -> bool:
    return get_origin(option) is Literal and all(isinstance(value, str) for value in get_args(option))


def _options(kind: Any) -> Iterator[Any]:
    """The alternatives of an annotation, without what is only said about them."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _options(get_args(kind)[0])
    elif origin in (Union, types.UnionType):
        for option in get_args(kind):
            yield from _options(option)
    else:
        yield kind


def _item_kind(kind: Any) -> Any:
    """What the items of a sequence are; `Any` if it is none."""
    for option in _options(kind):
        if get_origin(option) in (tuple, list):
            return get_args(option)[0]
    return Any


def _kinds_by_key(kind: Any) -> Mapping[str, Any]:
    """What each key holds, of a model or of one that may stand for a sequence of them."""
    for option in (*_options(kind), *_options(_item_kind(kind))):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return {name: field.annotation for name, field in option.model_fields.items()}
    return {}


def _other_keys(kind: Any) -> Any:
    for option in _options(kind):
        if get_origin(option) is dict:
            return get_args(option)[1]
    return Any
