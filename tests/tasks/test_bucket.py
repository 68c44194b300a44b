"""Lakes in buckets: URLs that are none, what is told when a store refuses or is away, and that no key gets anywhere."""

from collections.abc import Callable
from pathlib import Path
from threading import Timer

import pytest

from skewbench import sql
from skewbench.sql import LakeError, LakeUnreachable
from skewbench.storage import bucket
from skewbench.storage.bucket import Bucket, parse
from skewbench.storage.store import open_store
from tests.object_store import S3Server

SECRETS = ("writers-secret", "readers-secret", "wrong-secret")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("s3://lakes", ("s3", "lakes", "")),
        ("s3://lakes/", ("s3", "lakes", "")),
        ("gs://my.lakes_2/a/b=c/d.e/", ("gs", "my.lakes_2", "a/b=c/d.e")),
    ],
)
def test_url(url: str, found: tuple[str, str, str]) -> None:
    assert parse(url) == found


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://lakes/x", "s3://", "s3:///x", "s3://LAKES/x", "s3://la kes/x", "s3://../x"),
        *("s3://lakes/../other", "s3://lakes/a/./b", "s3://lakes/a//b", "s3://lakes/a%2f..", "s3://lakes/a b"),
        *("s3://lakes/a*", "s3://lakes/[a]", "s3://lakes/a'b", "s3://lakes/a?s3_endpoint=evil", "s3://lakes/é"),
    ],
)
def test_url_that_is_none(url: str) -> None:
    with pytest.raises(LakeError, match="lake"):
        parse(url)


def test_keys_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(LakeError, match="environment") as refused:
        parse("s3://AKIAKEY:hunter2@lakes/x")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(("url", "wanted"), [("s3://lakes/x", "AWS_ACCESS_KEY_ID"), ("gs://lakes/x", "GOOGLE_APP")])
def test_without_credentials_nobody_is_asked(monkeypatch: pytest.MonkeyPatch, url: str, wanted: str) -> None:
    for lines in bucket._CREDENTIALS.values():
        for name in (name for line in lines for name in line):
            monkeypatch.delenv(name, raising=False)
    for opened in (open_store, sql.connect):
        with pytest.raises(LakeError, match=f"no credentials in the environment; set {wanted}"):
            opened(url)


def _check_lake(lake: str) -> None:
    Bucket(lake).check_reachable()


def _write(lake: str) -> None:
    open_store(lake).check_writable()


@pytest.mark.parametrize(
    ("ask", "changes", "told"),
    [
        (_check_lake, {"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, r"denies access \(SignatureDoesNotMatch\)"),
        (_check_lake, {"AWS_ACCESS_KEY_ID": "nobody"}, r"denies access \(InvalidAccessKeyId\)"),
        (_check_lake, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:1 does not answer"),
        (
            _check_lake,
            {"AWS_ENDPOINT_URL": "http://me:writers-secret@127.0.0.1:1"},
            "http://127.0.0.1:1 does not answer",
        ),
        (
            _write,
            {"AWS_ACCESS_KEY_ID": "reader", "AWS_SECRET_ACCESS_KEY": "readers-secret"},
            r"denies access \(AccessDenied\)",
        ),
    ],
)
def test_what_is_wrong_is_told_at_once_in_a_line(
    bucket_lake: str,
    monkeypatch: pytest.MonkeyPatch,
    ask: Callable[[str], None],
    changes: dict[str, str],
    told: str,
) -> None:
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LakeError, match=told) as refused:
        ask(bucket_lake)
    assert "\n" not in str(refused.value)
    assert not any(secret in str(refused.value) for secret in SECRETS)


def test_a_bucket_that_is_not_there(bucket_lake: str) -> None:
    for ask in (_check_lake, _write, lambda lake: open_store(lake).read("x"), sql.connect):
        with pytest.raises(LakeError, match="there is no bucket 'elsewhere'"):
            ask("s3://elsewhere/x")


def test_a_store_that_is_away_is_asked_again_for_as_long_as_patience_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with S3Server(tmp_path / "s3") as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        patient = open_store(server.lake("x"))
        patient.put("kept", b"1")
        server.stop()
        monkeypatch.setenv(bucket.PATIENCE, "0.1")
        impatient = open_store(patient.lake)
        with pytest.raises(LakeUnreachable, match="does not answer"):
            impatient.put("kept", b"2")
        back = Timer(1.0, server.start)
        back.start()
        assert patient.put_new("new", b"3")
        back.join()
        assert (patient.read("kept"), patient.read("new")) == (b"1", b"3")
