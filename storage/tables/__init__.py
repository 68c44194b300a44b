"""The tables of the lake. Each module here declares one `Table` under its own name, and is found by that."""

import pkgutil
from graphlib import TopologicalSorter
from importlib import import_module

from skewbench.storage.keys import TYPED
from skewbench.storage.table import Table


def _declared(module: str) -> Table:
    """The table of a module. Raises `TypeError` unless it declares exactly one, under the module's name."""
    found = {value for value in vars(import_module(f"{__name__}.{module}")).values() if isinstance(value, Table)}
    if [table.name for table in found] != [module]:
        raise TypeError(f"{__name__}.{module} must declare one Table(name={module!r}, ...)")
    return found.pop()


def _in_order(tables: dict[str, Table]) -> dict[str, Table]:
    """Order tables so that each follows those that it is derived from.

    Raises:
        CycleError: Tables are derived from each other in a circle.
        KeyError: A table is derived from one that does not exist.
    """
    of = {name: table.derived_from for name, table in tables.items()}
    return {name: tables[name] for name in TopologicalSorter(of).static_order()}


TABLES: dict[str, Table] = _in_order({one.name: _declared(one.name) for one in pkgutil.iter_modules(__path__)})
"""All tables by name, the ones that others are derived from first."""

VERSION = max(TYPED, *(table.version for table in TABLES.values()))
"""The version of the lake's schema. Stored in each receipt and manifest part, and in each file's metadata."""
