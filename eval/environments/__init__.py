"""Environments of scorers whose packages cannot live beside ours: declared, found, prepared, and a process in each."""

from skewbench.eval.environments.declaration import Environment
from skewbench.eval.environments.find import FOLDER, find, folder, missing, package_of, unprepared

__all__ = ["FOLDER", "Environment", "find", "folder", "missing", "package_of", "unprepared"]
