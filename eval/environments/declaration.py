"""What an environment is, as the scorers that need it declare it. Plain data; imports nothing heavy."""

from __future__ import annotations

import json
import platform
import re
import sys
from dataclasses import dataclass
from hashlib import sha256

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PINNED = re.compile(r"(?P<package>[A-Za-z0-9][\w.-]*)==(?P<version>\d[\w.+!]*)")
_VERSIONS = re.compile(r"((<|<=|>|>=|==|!=|~=) ?\d+(\.\d+)*(\.\*)?(, ?|$))*")


@dataclass(frozen=True)
class Environment:
    """Packages of a scorer's own. They come first on its path; all others are shared with skewbench by path.

    Args:
        name: Lower-case letters, digits and hyphens, such as `image-reward`. Scorers that declare the same environment
            share its process.
        pip: Requirements for pip. The first one is the main package, pinned as `name==version`: scores record its
            version, and another version scores again.
        python: Versions of Python that the packages work with, such as `<3.12`; empty: all. It is never another Python
            than skewbench's: what is shared by path is compiled for that one.
        dependencies: Whether pip also installs what the packages require and skewbench does not have. False installs
            exactly `pip`, for packages that pin versions of torch or other shared libraries without need.
    """

    name: str
    pip: tuple[str, ...]
    python: str = ""
    dependencies: bool = True

    def __post_init__(self) -> None:
        # no library parses these: the child in an environment reads them too, and may have another version of it
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"environment {self.name!r}: a name of lower-case letters, digits and hyphens is needed")
        for text in self.pip:
            if not text[:1].isalnum() or "\n" in text:
                raise ValueError(f"environment {self.name!r}: {text!r} is no requirement; name the package first")
        if not self.pip or not _PINNED.fullmatch(self.pip[0]):
            raise ValueError(f"environment {self.name!r}: pip begins with the main package, as name==version")
        if not _VERSIONS.fullmatch(self.python):
            raise ValueError(
                f"environment {self.name!r}: python is {self.python!r}; versions such as '<3.12' are needed"
            )

    @property
    def package(self) -> str:
        """Name of the main package."""
        return self.pip[0].partition("==")[0]

    @property
    def version(self) -> str:
        """Version of the main package."""
        return self.pip[0].partition("==")[2]

    @property
    def variable(self) -> str:
        """Environment variable that names a folder which somebody prepared."""
        return "SKEWBENCH_ENV_" + self.name.upper().replace("-", "_")

    @property
    def key(self) -> str:
        """Name of its folder on this machine: other requirements or another Python make another folder."""
        decides = [*self.pip, self.dependencies, *sys.version_info[:2], platform.machine()]
        if self.dependencies:  # what pip adds depends on what this installation has
            decides.append(sys.prefix)
        return f"{self.name}-{sha256(json.dumps(decides).encode()).hexdigest()[:8]}"
