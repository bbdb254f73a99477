"""The code that a study or card names: its model's builder and its sampler."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from antisample.models.config import ModelConfig
from antisample.models.in_memory import is_in_memory
from antisample.plain_text import plain_text
from tuning.trust.module_files import module_files


@dataclass(frozen=True)
class NamedCode:
    """A function or class that is imported and called.

    Attributes:
        key: Which key of the configuration names it: `model.name` or `sampler`.
        name: `package.module:function`.
        arguments: What it is called with; of a function that loads other code they decide what is executed.
        files: See `module_files`.
    """

    key: str
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()

    @property
    def module(self) -> str:
        """The module to be imported."""
        return self.name.partition(":")[0]

    def describe(self) -> str:
        """What names which module, and where it lies."""
        whole = len(self.files) == len(self.module.split("."))
        place = self.files[-1] if whole else f"within {self.files[-1]}" if self.files else "not found"
        return f"`{self.key}` {self.name!r} names the module {self.module!r} ({plain_text(place)})"

    def digest(self) -> str:
        """Another one for another function, other arguments, or a module of this name in another place."""
        content = json.dumps([self.name, self.arguments, self.files], sort_keys=True)
        return f"code {hashlib.blake2b(content.encode(), digest_size=16).hexdigest()}"


def named_code(model: ModelConfig, sampler: str = "auto") -> tuple[NamedCode, ...]:
    """The code behind a model and a sampler; none for those that this program brings along."""
    named = [NamedCode("model.name", model.name, model.arguments), NamedCode("sampler", sampler)]
    return tuple(
        NamedCode(code.key, code.name, code.arguments, module_files(code.module))
        for code in named
        if ":" in code.name and not is_in_memory(code.name)
    )
