"""YAML in which a key that is given twice is a mistake, and whose faults say the line."""

from typing import Any

import yaml

from skewbench.vocabulary.errors import InputError


def read_yaml(text: str | bytes, where: str) -> Any:
    """What a YAML text holds. `where`: what an error names. Raises `InputError`."""
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except _GivenTwice as error:
        raise InputError(f"{where}: {error}") from None
    except yaml.MarkedYAMLError as error:
        said = ", ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{where}: not YAML{_place(error.problem_mark or error.context_mark)}: {said}") from None
    except yaml.reader.ReaderError as error:
        raise InputError(f"{where}: not YAML: {error.reason}, at character {error.position}") from None
    except ValueError as error:  # no UTF-8, or the 30th of February
        raise InputError(f"{where}: not YAML: {error}") from None
    except RecursionError:
        raise InputError(f"{where}: not an experiment: it is nested too deeply") from None


class _GivenTwice(Exception):
    pass


class _Loader(yaml.SafeLoader):
    """YAML forbids equal keys; PyYAML takes the last one. Looked at before merge keys (<<) put others beside them."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line, known = key.start_mark.line + 1, (key.tag, key.value)
                if known in lines:
                    raise _GivenTwice(f"line {line}: {key.value!r} is given twice, first in line {lines[known]}")
                lines[known] = line
        return node


def _place(mark: yaml.Mark | None) -> str:
    return f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
