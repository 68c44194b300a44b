"""Reports as pages of the Prefect server: from a folder, from a bucket, and nothing else of either."""

import os
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from skewbench.flows.serving import reports, state
from skewbench.flows.serving.state import Process, Up
from skewbench.storage.store import LocalStore, open_store
from tests.object_store import S3Server


def _server(lake: str) -> TestClient:
    return TestClient(Starlette(routes=[reports.route(lake)]))


def test_a_report_has_no_access_to_the_api(tmp_path: Path) -> None:
    LocalStore(tmp_path / "lake").put("_reports/r-1.html", b"<p>report</p>")
    answer = _server(str(tmp_path / "lake")).get("/reports/r-1.html")
    assert (answer.text, answer.headers["content-type"]) == ("<p>report</p>", "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        *("no-such-run.html", "../secret.html", "..%2Fsecret.html", "..%2f..%2fsecret.html", "%2Fsecret.html", ""),
        *("%00.html", "a%00b.html", "%0a.html", "%ff.html", "%F0%9F%A6%8A.html", f"{'a' * 5000}.html", ".html"),
        *("link.html", "folder.html", "pipe.html", "loop.html"),
    ],
)
def test_nothing_but_reports_is_given(tmp_path: Path, path: str) -> None:
    LocalStore(tmp_path / "lake").put("secret.html", b"secret")
    (tmp_path / "secret.html").write_text("secret")
    reports_folder = tmp_path / "lake" / "_reports"
    (reports_folder / "folder.html").mkdir(parents=True)
    (reports_folder / "link.html").symlink_to(tmp_path / "secret.html")
    (reports_folder / "loop.html").symlink_to(reports_folder / "loop.html")
    os.mkfifo(reports_folder / "pipe.html")
    answer = _server(str(tmp_path / "lake")).get(f"/reports/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_a_link_within_the_lake_is_followed(tmp_path: Path) -> None:
    LocalStore(tmp_path / "lake").put("_reports/r-1.html", b"<p>report</p>")
    (tmp_path / "lake" / "_reports" / "newest.html").symlink_to("r-1.html")
    (tmp_path / "linked").symlink_to(tmp_path / "lake")
    assert _server(str(tmp_path / "linked")).get("/reports/newest.html").text == "<p>report</p>"


def test_reports_in_a_bucket(bucket_lake: str, s3_server: S3Server) -> None:
    open_store(bucket_lake).put("_reports/r-1.html", b"<p>report</p>")
    assert _server(bucket_lake).get("/reports/r-1.html").text == "<p>report</p>"
    assert _server(bucket_lake).get("/reports/r-2.html").status_code == 404


def test_a_lake_that_cannot_be_read_is_told() -> None:
    answer = _server("s3://").get("/reports/r-1.html")
    assert (answer.status_code, "lake" in answer.text) == (502, True)


@pytest.mark.parametrize("lake", ["/data/lake", "s3://bucket/lake"])
def test_where_a_report_is_looked_at(lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    report = f"{lake}/_reports/r-1.html"
    alone = report if "://" in lake else f"file://{report}"
    assert reports.report_url(report) == alone
    this = Process.of(1)
    state.write(Up("http://127.0.0.1:4200", lake, "mark", this))
    assert reports.report_url(report) == "http://127.0.0.1:4200/reports/r-1.html"
    assert reports.report_url("s3://other/_reports/r-1.html") == "s3://other/_reports/r-1.html"
    state.write(Up("http://127.0.0.1:4200", lake, "mark", Process(this.pid, 1.0)))
    assert reports.report_url(report) == alone
