"""`skewbench doctor`: what it says of a lake that is not there yet."""

import os
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from skewbench.flows.cli import doctor
from tests.flows.command import run_in_process, write_experiment


def test_a_lake_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor._lake(str(tmp_path / "a" / "b")).good
    (tmp_path / "file").touch()
    found = doctor._lake(str(tmp_path / "file" / "b"))
    assert (found.good, "is a file" in found.result) == (False, True)
    monkeypatch.setattr(os, "access", lambda path, mode, **_others: not (Path(path) == tmp_path and mode & os.W_OK))
    found = doctor._lake(str(tmp_path / "a" / "b"))
    assert (found.good, f"{tmp_path} is not writable" in found.result) == (False, True)
    assert not list(tmp_path.glob("a"))


def test_a_lake_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found: Any = doctor._lake(str(tmp_path / "file"))
    assert (found.good, "Not a directory" in found.result) == (False, True)


def test_a_token_that_others_can_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "the token"
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(token))
    assert doctor._ray_token().good
    token.touch(0o644)
    found = doctor._ray_token()
    assert (found.good, found.advice) == (False, f"chmod 600 '{token}'")
    assert "can be read by others" in found.result
    token.chmod(0o600)
    assert doctor._ray_token().good


def test_a_long_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, before anything starts; Ray itself would try for minutes."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    long = "/tmp/slurm-job-of-somebody-0123456789-0123456789"
    monkeypatch.setenv("TMPDIR", long)
    said = f"error: TMPDIR '{long}': too long for Ray, which puts its sockets there: {len(long)} bytes, and at most "
    done = run_in_process(monkeypatch, "run", write_experiment(tmp_path), "--lake", str(tmp_path / "lake"))
    assert (done.returncode, said in done.stderr) == (2, True)
    assert "set RAY_TMPDIR to a short folder" in doctor._ray().advice
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    assert doctor._ray().good


def test_a_prefect_server_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        done = run_in_process(monkeypatch, "run", write_experiment(tmp_path), "--lake", str(tmp_path / "lake"))
    assert done.returncode == 2
    assert "error: PREFECT_API_URL http://127.0.0.1:9/api: no Prefect server answers there; start it" in done.stderr


def test_proxies_are_shown_without_their_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all"):
        for variable in (f"{name}_proxy", f"{name}_proxy".upper()):
            monkeypatch.delenv(variable, raising=False)
    assert doctor._proxies().result == "none set"
    monkeypatch.setenv("HTTP_PROXY", "http://me:secret@proxy.example:3128")
    monkeypatch.setenv("all_proxy", "socks5://other.example:1080")
    shown = "all_proxy socks5://other.example:1080, http_proxy http://proxy.example:3128; "
    assert doctor._proxies().result.startswith(shown)
