"""Reads YAML 1.2 strictly: duplicate keys, self-references and texts that expand without bound are errors."""

from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLStreamError
from ruamel.yaml.nodes import MappingNode, ScalarNode
from ruamel.yaml.reader import ReaderError

from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.texts import is_unicode

LARGEST = 1_000_000
"""Maximum bytes of a text, and number of its values after aliases are expanded."""
_LONGEST_NUMBER = 40


def read_yaml(text: str | bytes, where: str) -> Any:
    """Read a YAML 1.2 text: `off`, `no` and `1:30` are strings, `010` is 10.

    Args:
        text: the text; bytes must be UTF-8.
        where: what an error message names as the place of the text.

    Returns:
        The value, made of dicts, lists and scalars. Dates are strings.

    Raises:
        InputError: not YAML, a key that is given twice, a number with underscores, or a text that is too large.
    """
    if len(text) > LARGEST:
        raise InputError(f"{where}: has {len(text):,} characters; an experiment has {LARGEST:,} at most")
    try:
        content = _parser().load(text)
        _check_size(content)
    except _Mistake as error:
        raise InputError(f"{where}: {error}") from None
    except MarkedYAMLError as error:
        reasons = ", ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{where}: not YAML{_position(error)}: {reasons}") from None
    except ReaderError as error:
        raise InputError(f"{where}: not YAML: {error.reason}, at character {error.position}") from None
    except (YAMLStreamError, ValueError) as error:  # not UTF-8, for one
        raise InputError(f"{where}: not YAML: {error}") from None
    except RecursionError:
        raise InputError(f"{where}: not an experiment: it is nested too deeply") from None
    return content


class _Mistake(Exception):
    """Well-formed YAML that is refused. The message names the line."""


class _Constructor(SafeConstructor):
    def check_mapping_key(self, node: MappingNode, key_node: Any, mapping: Any, key: Any, value: Any) -> bool:
        if key in mapping:
            first = next(one for one, _ in node.value if isinstance(one, ScalarNode) and one.value == key_node.value)
            lines = (key_node.start_mark.line + 1, first.start_mark.line + 1)
            raise _Mistake(f"line {lines[0]}: {key_node.value!r} is given twice, first in line {lines[1]}")
        return True

    def construct_text(self, node: ScalarNode) -> str:
        text: str = self.construct_yaml_str(node)
        if not is_unicode(text):
            line = node.start_mark.line + 1
            raise _Mistake(f"line {line}: a text has half of a surrogate pair, which is not valid text: {text[:80]!a}")
        return text

    def construct_number(self, node: ScalarNode) -> int | float:
        if "_" in node.value or len(node.value) > _LONGEST_NUMBER:
            shown = node.value if len(node.value) <= _LONGEST_NUMBER else f"{node.value[:_LONGEST_NUMBER]}..."
            line = node.start_mark.line + 1
            raise _Mistake(f"line {line}: {shown}: a number has no underscores and {_LONGEST_NUMBER} digits at most")
        integer = str(node.tag).endswith(":int")
        return self.construct_yaml_int(node) if integer else self.construct_yaml_float(node)


_Constructor.add_constructor("tag:yaml.org,2002:str", _Constructor.construct_text)
_Constructor.add_constructor("tag:yaml.org,2002:int", _Constructor.construct_number)
_Constructor.add_constructor("tag:yaml.org,2002:float", _Constructor.construct_number)
_Constructor.add_constructor("tag:yaml.org,2002:timestamp", SafeConstructor.construct_yaml_str)


def _parser() -> YAML:
    parser = YAML(typ="safe", pure=True)
    parser.Constructor = _Constructor
    return parser


def _check_size(content: Any) -> None:
    """Refuse aliases that expand to more than `LARGEST` values, or refer to themselves. Visits each value once."""
    sizes: dict[int, int] = {}
    open_values: set[int] = set()

    def size(value: Any) -> int:
        if not isinstance(value, dict | list):
            return 1
        if id(value) in open_values:
            raise _Mistake("an alias refers to a value that contains it")
        if id(value) not in sizes:
            open_values.add(id(value))
            inner: Iterable[Any] = value.values() if isinstance(value, dict) else value
            sizes[id(value)] = 1 + sum(map(size, inner))
            open_values.remove(id(value))
        return sizes[id(value)]

    if (count := size(content)) > LARGEST:
        raise _Mistake(f"its aliases expand to {count:,} values; an experiment has {LARGEST:,} at most")


def _position(error: MarkedYAMLError | ConstructorError) -> str:
    mark = error.problem_mark or error.context_mark
    return f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
