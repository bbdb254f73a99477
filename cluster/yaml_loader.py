"""YAML in which no key stands twice; launchers import no sibling, so this is as in `search_spaces`."""

from typing import Any

import yaml


class DuplicateKeyError(yaml.YAMLError):
    """A key stands twice in one mapping."""


class UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which also refuses keys that stand twice."""

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
                    raise DuplicateKeyError(f"the key `{key.value}` stands twice, {where}")
                lines[key.value] = line
        return node
