"""Paths as users give them: in options, environment variables, experiments and forms."""

import os
from pathlib import Path

from skewbench.vocabulary.errors import InputError


def user_path(given: str | Path, named: str) -> Path:
    """Read a path that a user gave: a leading `~` or `~name` is a home folder, as in a shell.

    A shell expands it only at the beginning of a word: not in `--lake=~/lake`, in a YAML file or in a form.

    Args:
        given: The path. It need not exist.
        named: What an error message names as the place of the path, such as `lake` or `prompts.path`.

    Returns:
        The path, relative to the working folder if it is not absolute.

    Raises:
        InputError: An empty path, one that no file can have, or the home folder of an unknown user.
    """
    text = str(given)
    if not text or (isinstance(given, str) and not given.strip()):
        raise InputError(f"{named} {text!r}: is empty; name a file or a folder")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InputError(f"{named} {text!a}: is not UTF-8 text; rename the file or folder") from None
    if "\0" in text:
        raise InputError(f"{named} {text!r}: contains a NUL character, which paths cannot contain")
    expanded = os.path.expanduser(text)  # Path.expanduser takes ./~ for a home folder too
    if expanded.startswith("~"):
        raise InputError(f"{named} {text!r}: there is no home folder of this user; use an absolute path, or ./{text}")
    return Path(expanded)


def folder_from_environment(variable: str, *default: str) -> Path:
    """Read a folder from an environment variable.

    Args:
        variable: The variable's name.
        default: Parts of the path below the home folder that is used if the variable is not set or empty.

    Raises:
        InputError: The variable holds no path.
    """
    given = os.environ.get(variable)
    return user_path(given, f"${variable}") if given else Path.home().joinpath(*default)
