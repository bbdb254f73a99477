"""YAML of bounded size in which no key stands twice: the second value would silently replace the first."""

from typing import Any

import yaml

LONGEST = 2_000_000
"""Characters of a file; one of text that others may have sent is read to its end, with all that it refers to."""
_MOST_VALUES, _DEEPEST = 100_000, 50


class DuplicateKeyError(yaml.YAMLError):
    """A key stands twice in one mapping."""


class UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which also refuses keys that stand twice, and what is too long, too deep or too much.

    Args:
        text: The YAML.

    Raises:
        yaml.YAMLError: If the text is too long.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise yaml.YAMLError(f"it must have at most {LONGEST:,} characters, but has {len(text):,}")
        super().__init__(text)
        self._depth = 0
        self._values = 0
        self._sizes: dict[yaml.Node, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Composes a value, counting again what aliases repeat.

        Raises:
            yaml.YAMLError: If it is nested too deeply, holds itself, or holds too much.
        """
        repeats = self.check_event(yaml.AliasEvent)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise yaml.YAMLError(f"values must be nested at most {_DEEPEST} deep")
        before = self._values
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None:  # an empty document
            return None
        if repeats and node not in self._sizes:
            raise yaml.YAMLError(f"the value in line {node.start_mark.line + 1} must not contain itself")
        self._values += self._sizes[node] if repeats else 1
        if self._values > _MOST_VALUES:
            raise yaml.YAMLError(f"it must hold at most {_MOST_VALUES:,} values, aliases included")
        self._sizes.setdefault(node, self._values - before)
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Composes a mapping.

        Raises:
            DuplicateKeyError: If a key stands twice in it.
        """
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines:
                    first = lines[key.value]
                    where = f"in lines {first} and {line}" if first != line else f"in line {line}"
                    raise DuplicateKeyError(f"the key `{key.value}` occurs twice, {where}")
                lines[key.value] = line
        return node
