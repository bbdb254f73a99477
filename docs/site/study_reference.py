"""The keys of a study file and the hyperparameters of every method, as one page: from the classes that check them."""

import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from antisample.methods import find_method, method_names
from tuning.config.study import StudyConfig

_INTRODUCTION = """# The study file

All keys of a study file, such as `studies/demo.yaml`, and their default values. `--set KEY=VALUE` sets the same keys;
`null` means that a key is not set. Keys with `[]` belong to the entries of a list. Each study stores its complete
configuration, including all defaults, in its directory as `study.yaml`.
"""
_METHODS = """## Hyperparameters of the methods

These can be used in `fixed`, in a search space (`antisample spaces NAME` shows which are searched), and in
`antisample unlearn --set method.KEY=VALUE`.
"""
_HEAD = "| key | default | meaning |\n|---|---|---|"


def study_reference() -> str:
    """Describes the study file.

    Returns:
        Markdown with a table of all keys, and one for each method.
    """
    parts = [_INTRODUCTION, _HEAD, *_rows(StudyConfig, ""), "", _METHODS]
    for name in method_names():
        rows = list(_rows(find_method(name).config_type, ""))
        parts += [f"### {name}\n", *([_HEAD, *rows] if rows else ["It has none."]), ""]
    return "\n".join(parts)


def _rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    meanings = _meanings(model)
    for name, field in model.model_fields.items():
        if name == "name" and prefix == "" and model is not StudyConfig:
            continue
        inner = next(_models(field.annotation), None)
        listed = typing.get_origin(field.annotation) is tuple and inner is not None
        key = f"{prefix}{name}{'[]' if listed else ''}"
        yield f"| `{key}` | {_default(field, inner)} | {meanings.get(name, '').replace('|', '&#124;')} |"
        if inner is not None:
            yield from _rows(inner, f"{key}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The configuration class in a type such as `tuple[Objective, ...]` or `FidelityConfig | None`."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models(part)


def _default(field: FieldInfo, inner: type[BaseModel] | None) -> str:
    if field.is_required():
        return "required"
    if inner is not None or field.default_factory is not None or field.default in (None, (), {}):
        return ""
    return f"`{yaml.safe_dump(_plain(field.default), default_flow_style=True).splitlines()[0]}`"


def _plain(value: Any) -> Any:
    """A default as YAML has it."""
    return str(value) if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value


def _meanings(model: type[BaseModel]) -> dict[str, str]:
    """What the docstrings of a class and its bases say of its attributes, each in one line."""
    found: dict[str, str] = {}
    for base in reversed(model.__mro__):
        for section in griffe.Docstring(inspect.getdoc(base) or "", parser="google").parsed if base.__doc__ else ():
            if section.kind is griffe.DocstringSectionKind.attributes:
                found |= {each.name: " ".join(each.description.split()) for each in section.value}
    return found
