"""Wheels of a few lines, for environments that are prepared without a network."""

import base64
import hashlib
import zipfile
from pathlib import Path


def save_wheel(folder: Path, name: str, version: str, files: dict[str, str], requires: tuple[str, ...] = ()) -> Path:
    """Write a wheel of pure Python.

    Args:
        folder: Where; it is made.
        name: Name of the package, with underscores.
        version: Its version.
        files: Contents by path inside the wheel.
        requires: What it requires.
    """
    about = f"{name}-{version}.dist-info"
    lines = [f"Requires-Dist: {one}" for one in requires]
    metadata = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""])
    tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents = {**files, f"{about}/METADATA": metadata, f"{about}/WHEEL": tags}
    record = [f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in contents.items()]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, text in contents.items():
            wheel.writestr(inside, text)
        wheel.writestr(f"{about}/RECORD", "\n".join([*record, f"{about}/RECORD,,", ""]))
    return path


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
