"""Finds the source that makes the numbers: the modules that generation imports, followed without running them."""

import ast
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

ROOTS = ("skewbench.tasks.generate", "skewbench.tasks.models")
"""Modules that a worker calls to load a model and to generate. They import all other relevant modules."""


@cache
def digest_of_source(*modules: str) -> str:
    """Hex digest of the code of some modules and of all that they import, within their packages.

    By the syntax tree: comments, docstrings and layout change nothing. A name that a package re-exports counts for the
    module that defines it.

    Args:
        modules: Dotted names.
    """
    found = source_files(*modules)
    code = [f"{name}\n{_code(file)}" for name, file in sorted(found.items())]
    return sha256("\n\n".join(code).encode()).hexdigest()


def source_files(*modules: str) -> dict[str, Path]:
    """Find the files of modules, and of all that they import within their packages.

    Args:
        *modules: Dotted names of modules.

    Returns:
        The file of each module by its dotted name.
    """
    packages = {module.partition(".")[0] for module in modules}
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        file = _file(module)
        if module not in found and file is not None:
            found[module] = file
            waiting += [name for name in _imported(module, file) if name.partition(".")[0] in packages]
    return found


@cache
def _imported(module: str, file: Path) -> tuple[str, ...]:
    """List the modules that a module imports, also within functions; imports for type annotations do not count."""
    package = _package(module, file)
    found: list[str] = []
    waiting: list[ast.AST] = [_tree(file)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, package)
            found += [_home(source, alias.name) for alias in node.names]
        else:
            waiting += node.orelse if _is_of_types(node) else ast.iter_child_nodes(node)  # type: ignore[attr-defined]
    return tuple(found)


def _is_of_types(node: ast.AST) -> bool:
    """Whether a statement is `if TYPE_CHECKING`."""
    test = node.test if isinstance(node, ast.If) else None
    return "TYPE_CHECKING" in (getattr(test, "id", None), getattr(test, "attr", None))


@cache
def _home(module: str, name: str) -> str:
    """Return the module that `from module import name` reads: a submodule, or the origin of a re-exported name."""
    if _file(f"{module}.{name}") is not None:
        return f"{module}.{name}"
    file = _file(module)
    if file is not None and file.name == "__init__.py" and name in _exports(module, file):
        source, original = _exports(module, file)[name]
        return source if source == module else _home(source, original)
    return module


@cache
def _exports(module: str, file: Path) -> dict[str, tuple[str, str]]:
    """Names that a package imports, and from where. Also imports for type checkers: a lazy package has them there."""
    found: dict[str, tuple[str, str]] = {}
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found.setdefault(alias.asname or alias.name, (_absolute(node, module), alias.name))
    return found


def _package(module: str, file: Path) -> str:
    """Return the package that a module's relative imports start from."""
    return module if file.name == "__init__.py" else module.rpartition(".")[0]


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


@cache
def _file(module: str) -> Path | None:
    """Return the file of a module, or None. Imports only the top of its package."""
    top, *rest = module.split(".")
    if top == "skewbench" and rest:  # a namespace of folders, which need not lie side by side
        top, rest = f"skewbench.{rest[0]}", rest[1:]
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    places = spec.submodule_search_locations
    if not rest and not places:
        return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    for place in places or ():
        path = Path(place).joinpath(*rest)
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                return file
    return None


@cache
def _code(file: Path) -> str:
    return ast.unparse(_tree(file))


@cache
def _tree(file: Path) -> ast.Module:
    """The syntax tree without statements that are nothing but a string: docstrings, also those of fields."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)] or [ast.Pass()]  # type: ignore[attr-defined]
    return tree


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
