"""The folders of the repository are installed as packages of `skewbench`: `flows` is `skewbench.flows`, and so on."""

from setuptools import find_namespace_packages, setup

ROOMS = ("flows", "tasks", "stability", "eval", "sql", "storage", "training", "vocabulary")

setup(
    package_dir={f"skewbench.{room}": room for room in ROOMS},
    packages=[
        f"skewbench.{name}"
        for room in ROOMS
        for name in (room, *(f"{room}.{inner}" for inner in find_namespace_packages(room, exclude=["*__pycache__*"])))
    ],
)
