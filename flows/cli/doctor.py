"""`skewbench doctor`: checks this machine and says how to fix what does not work."""

import os
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.request import getproxies_environment

import typer
from rich.console import Console

from skewbench.flows.cli.options import AnyLake
from skewbench.flows.cli.tables import Document, console, folding, print_json
from skewbench.storage.location import LakeError, lake_folder
from skewbench.tasks.ray_address import check_temporary_folder
from skewbench.vocabulary.errors import InputError, RunError
from skewbench.vocabulary.user_paths import folder_from_environment

_PACKAGES = ("skewbench", "torch", "diffusers", "transformers", "ray", "prefect", "duckdb", "polars", "pyarrow")
_SPACE_WANTED = 2e9
_ELSEWHERE = "choose another folder with --lake"


@dataclass(frozen=True)
class Finding:
    """One check. `advice`: what to do if it is not `good`."""

    what: str
    good: bool
    result: str
    advice: str = ""


def add_to(app: typer.Typer) -> None:
    """Register the command.

    Args:
        app: The application `skewbench`.
    """
    app.command("doctor")(doctor)


def doctor(lake: AnyLake = "lake", format: Document = "text") -> None:
    """Check versions, devices, Ray, Prefect, weights and the lake, and say how to fix what does not work."""
    table = folding("", "what", "found", "to do")
    checks: tuple[Callable[[], Finding], ...] = (
        _versions, _device, _proxies, _ray, _ray_token, _prefect, _bundled_models, _hub, _httpfs,
        lambda: _lake(lake), lambda: _delta(lake), lambda: _disk(lake),
    )  # fmt: skip
    with Console(stderr=True).status("looking"):
        findings = [check() for check in checks]
    if format == "json":
        print_json([asdict(finding) for finding in findings])
        return
    for finding in findings:
        mark = "[green]ok[/green]" if finding.good else "[yellow]--[/yellow]"
        table.add_row(mark, finding.what, finding.result, finding.advice)
    console().print(table)


def _versions() -> Finding:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            return Finding("packages", False, f"{name} is missing", "pip install -e . in the project's folder")
    return Finding("packages", True, ", ".join(f"{name} {number}" for name, number in found.items()))


def _device() -> Finding:
    import torch

    from skewbench.tasks.generate import cpu_name

    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        return Finding("devices", True, ", ".join(names))
    result = f"{cpu_name()}, {os.cpu_count()} cores, no GPU"
    return Finding("devices", True, result, "sufficient for the bundled models; SDXL needs a GPU with 12 GB or more")


def _proxies() -> Finding:
    """Name the proxies by their hosts, because their URLs may contain a password."""
    proxies = {name: url for name, url in getproxies_environment().items() if name != "no"}
    if not proxies:
        return Finding("proxies", True, "none set")
    hosts = ", ".join(f"{name}_proxy {re.sub('//[^/]*@', '//', url)}" for name, url in sorted(proxies.items()))
    return Finding("proxies", True, f"{hosts}; connections within this machine bypass them (NO_PROXY)")


def _ray() -> Finding:
    address = os.environ.get("RAY_ADDRESS")
    if address:
        return Finding("Ray", True, f"RAY_ADDRESS is {address}: runs join that cluster")
    try:
        check_temporary_folder()
    except InputError as error:
        result, _, advice = str(error).partition("; ")
        return Finding("Ray", False, result, advice)
    return Finding("Ray", True, "no RAY_ADDRESS: runs start a local Ray")


def _ray_token() -> Finding:
    """Check the token's permissions: with the usual umask, Ray writes it readable for everybody."""
    path = folder_from_environment("RAY_AUTH_TOKEN_PATH", ".ray", "auth_token")
    if not path.is_file():
        return Finding("Ray's token", True, f"no {path}: Ray creates it when it starts")
    if path.stat().st_mode & 0o077:
        result = f"{path} can be read by others, who can run programs through your Ray"
        return Finding("Ray's token", False, result, f"chmod 600 {shlex.quote(str(path))}")
    return Finding("Ray's token", True, f"only you can read {path}")


def _prefect() -> Finding:
    from prefect.settings import get_current_settings

    from skewbench.flows.serving import state

    url = get_current_settings().api.url
    if url:
        return _answers(url)
    if up := state.running():
        return Finding("Prefect", True, f"server of `skewbench up` at {up.url}")
    return Finding("Prefect", True, "no server: runs use a temporary one", "skewbench up starts one, with a UI")


def _answers(url: str) -> Finding:
    import httpx

    try:
        httpx.get(f"{url}/health", timeout=3).raise_for_status()
    except httpx.HTTPError as error:
        advice = "start it (prefect server start), or unset PREFECT_API_URL"
        return Finding("Prefect", False, f"{url} does not answer: {type(error).__name__}", advice)
    return Finding("Prefect", True, f"server at {url}")


def _bundled_models() -> Finding:
    from skewbench.tasks.experiment import ModelSpec
    from skewbench.tasks.model_blocks import blocks_of
    from skewbench.tasks.models import BUNDLED, resolve_model

    found = []
    for name in BUNDLED:
        try:
            source = resolve_model(ModelSpec(id=name))
        except InputError as error:
            return Finding("bundled models", False, str(error), "install skewbench again")
        found.append(f"{name} {source.revision} ({len(blocks_of(source))} self-attention blocks)")
    return Finding("bundled models", True, ", ".join(found))


def _hub() -> Finding:
    from skewbench.tasks.experiment import ModelSpec
    from skewbench.tasks.models import resolve_model

    name = "stabilityai/stable-diffusion-xl-base-1.0"
    try:
        source = resolve_model(ModelSpec(id=name, variant="fp16"))
    except InputError:
        return Finding("SDXL", False, "not installed", f"needed for the paper's experiments: hf download {name}")
    return Finding("SDXL", True, f"revision {source.revision}")


def _httpfs() -> Finding:
    from skewbench.sql.attach import httpfs

    if httpfs():
        result = "DuckDB reads s3:// with its extension httpfs, and gs:// through obstore"
        return Finding("httpfs", True, result)
    advice = "optional: INSTALL httpfs in DuckDB, or pip install 'skewbench[httpfs]'"
    return Finding("httpfs", True, "not installed: DuckDB reads s3:// and gs:// through obstore", advice)


def _bucket(lake: str) -> Finding:
    from skewbench.sql import locate, reader
    from skewbench.storage.store import open_store

    try:
        open_store(lake).check_writable()
    except (InputError, LakeError) as error:
        return Finding("lake", False, str(error), "see docs/lake.md for the variables of keys and endpoint")
    return Finding("lake", True, f"{lake} is writable, and DuckDB reads it through {reader(locate(lake))}")


def _lake(lake: str) -> Finding:
    from skewbench.storage.store import open_store

    if "://" in lake:
        return _bucket(lake)
    folder = lake_folder(lake)
    if not folder.exists():
        parent = _nearest(folder)
        if parent.is_dir() and os.access(parent, os.W_OK):
            return Finding("lake", True, f"{folder} does not exist yet; the first run creates it")
        why = "is not writable" if parent.is_dir() else "is a file"
        return Finding("lake", False, f"{folder} cannot be created: {parent} {why}", _ELSEWHERE)
    try:
        open_store(lake).check_writable()
    except InputError as error:
        return Finding("lake", False, str(error), _ELSEWHERE)
    return Finding("lake", True, f"{folder} is writable")


def _delta(lake: str) -> Finding:
    """Check the Delta logs of a lake, if they are kept up to date."""
    from skewbench.storage.delta import check_delta, pending_changes
    from skewbench.storage.kept_delta import is_kept
    from skewbench.storage.store import open_store

    try:
        store = open_store(lake)
        kept = is_kept(store)
    except (InputError, LakeError):  # `_lake` says what is wrong
        kept = False
    if not kept:
        return Finding("Delta log", True, "not kept up to date", "optional: skewbench export delta LAKE --keep")
    try:
        check_delta(store)
        behind = pending_changes(store)
    except (InputError, LakeError, RunError) as error:
        result, _, advice = str(error).partition("; ")
        return Finding("Delta log", False, f"kept up to date, but {result}", advice)
    if behind:
        return Finding(
            "Delta log", False, f"kept up to date, but {behind} changes behind", f"skewbench export delta {lake}"
        )
    return Finding("Delta log", True, "kept up to date")


def _disk(lake: str) -> Finding:
    # with a lake in a bucket, the disk holds models, weights, and objects that Ray spills
    folder = Path.cwd() if "://" in lake else lake_folder(lake)
    free = shutil.disk_usage(_nearest(folder)).free
    return Finding(
        "disk", free > _SPACE_WANTED, f"{free / 1e9:.0f} GB free", "" if free > _SPACE_WANTED else "free disk space"
    )


def _nearest(path: Path) -> Path:
    """Return the path, or the nearest folder above it that exists."""
    return next(one for one in (path, *path.parents) if one.exists())
