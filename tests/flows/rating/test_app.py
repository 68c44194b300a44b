"""The rating page's server: nothing that it sends tells the sides apart, and it answers only who has the password."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from skewbench.flows.rating.app import Rating, create_app
from skewbench.flows.rating.media import Media
from skewbench.storage.compact import compact_run
from skewbench.storage.lease import Lease
from skewbench.storage.manifest import claim
from skewbench.storage.records import Manifest
from skewbench.storage.store import Store
from skewbench.tasks.rating import Question, Session
from tests.lakes import Lake
from tests.tasks.rating.toy import session as session_of
from tests.tasks.rating.toy import toy

SECRET = ("skewbench", "not-to-be-guessed")
CELLS = ("baseline", "a1.05-b3", "a1.20-b5")


@dataclass
class Server:
    """A rating server, and what is behind it."""

    client: TestClient
    session: Session
    store: Store
    manifest: Manifest
    errors: list[Exception]
    commits: list[bool]

    def get(self, path: str, **given: Any) -> Any:
        return self.client.get(path, auth=SECRET, **given)

    def post(self, path: str, body: Any = None, **given: Any) -> Any:
        content = body if isinstance(body, bytes) else json.dumps(body)
        return self.client.post(path, content=content, auth=SECRET, **given)


def _server(folder: Path, question: Question = "quality", cells: tuple[str, ...] = ("a1.05-b3",)) -> Server:
    store, manifest = toy(folder, Lake(prompts=2, seeds=2))
    session = session_of(store, manifest, question=question, cells=cells)
    errors, commits = list[Exception](), [True]
    media = Media(store.lake, manifest.run_id, "image")
    rating = Rating(session, media, question, lambda: commits[-1], errors.append)
    app = create_app(rating, "127.0.0.1", ":".join(SECRET))
    client = TestClient(app, base_url="http://127.0.0.1:4300", raise_server_exceptions=False)
    return Server(client, session, store, manifest, errors, commits)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = _server(tmp_path)
    with made.client:
        yield made


def test_a_session_from_the_first_vote_to_the_last(server: Server) -> None:
    state = server.get("/api/state").json()
    assert (state["question"], state["medium"], state["done"], state["total"]) == ("quality", "image", 0, 4)
    assert (state["current"]["position"], state["next"]["position"]) == (1, 2)
    for position, side in enumerate(("left", "right", "tie"), 1):
        state = server.post("/api/vote", {"position": position, "side": side}).json()
        assert (state["done"], state["current"]["position"]) == (position, position + 1)
    assert state["next"] is None
    state = server.post("/api/undo").json()
    assert (state["done"], state["current"]["position"]) == (2, 3)
    server.post("/api/vote", {"position": 3, "side": "left"})
    state = server.post("/api/vote", {"position": 4, "side": "tie"}).json()
    assert (state["done"], state["current"], state["committed"]) == (4, None, True)
    assert server.post("/api/undo").json()["current"]["position"] == 4


def test_the_end_says_if_the_votes_are_not_committed_yet(server: Server) -> None:
    server.commits.append(False)
    for position in range(1, 5):
        state = server.post("/api/vote", {"position": position, "side": "tie"}).json()
    assert state["committed"] is False


@pytest.mark.parametrize("question", ["quality", "diversity"])
def test_nothing_that_is_sent_tells_the_sides_apart(tmp_path: Path, question: Question) -> None:
    """No response has a cell's name, the run's id, a sample's id, a pair's id, a prompt's id or a seed."""
    server = _server(tmp_path, question, ())
    ids = {name for one in server.session._placed for side in one.samples for name in side}
    pairs = {one.comparison.pair_id or one.comparison.prompt_id for one in server.session._placed}
    hidden = {*CELLS, "vanilla", 'skew"', "alpha", server.manifest.run_id, *ids, *pairs}
    sent = []
    with server.client:
        sent += [server.get(path) for path in ("/", "/page.css", "/page.js", "/api/state", "/nowhere", "/api/nowhere")]
        while placed := server.session.current():
            count = len(placed.samples[0])
            sent += [
                server.get(f"/api/media/{placed.position}/{side}/{index}")
                for side in ("left", "right", "middle")
                for index in range(count + 1)
            ]
            sent.append(server.post("/api/vote", {"position": placed.position + 1, "side": "left"}))
            sent.append(server.post("/api/vote", {"position": placed.position, "side": "left"}))
            sent.append(server.client.post("/api/undo"))
        sent.append(server.post("/api/undo"))
        sent.append(server.post("/api/vote", b"baseline"))
    assert {answer.status_code for answer in sent} == {200, 401, 404, 409, 422}
    images = 0
    for answer in sent:
        head = json.dumps([str(answer.url), *map(list, answer.headers.items())])
        text = answer.content.decode("latin-1")
        found = [word for word in hidden if word.lower() in (head + text).lower()]
        assert found == [], (str(answer.url), found)
        images += answer.headers["content-type"] == "image/png"
        assert {"etag", "last-modified", "content-disposition", "server"}.isdisjoint(answer.headers)
    assert images == sum(2 * len(one.samples[0]) for one in server.session._placed)


def test_samples_are_those_of_the_side(server: Server) -> None:
    direct = Media(server.store.lake, server.manifest.run_id, "image")
    for placed in server.session._placed:
        for side, ids in zip(("left", "right"), placed.samples, strict=True):
            answer = server.get(f"/api/media/{placed.position}/{side}/0")
            assert answer.content == direct.read(ids[0])
            assert answer.content.startswith(b"\x89PNG")


def test_samples_are_found_again_after_a_compaction(server: Server) -> None:
    before = server.get("/api/media/1/left/0").content
    with Lease(server.store, server.manifest.run_id) as lease:
        compact_run(server.store, claim(server.store, lease))
    assert server.get("/api/media/1/left/0").content == before
    assert server.errors == []


PATHS = ("/api/state", "/api/media/1/left/0", "/api/vote", "/api/undo")


def _ask(server: Server, path: str, **given: Any) -> Any:
    ask = server.client.post if path in ("/api/vote", "/api/undo") else server.client.get
    return ask(path, **given)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("auth", [None, ("skewbench", "guessed"), ("", "")])
def test_without_the_password_nothing_is_shown_or_voted(server: Server, path: str, auth: Any) -> None:
    answer = _ask(server, path, auth=auth)
    assert answer.status_code == 401
    assert server.session.done == 0
    assert "prompt" not in answer.text


@pytest.mark.parametrize("path", ["/", *PATHS])
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:4300", "192.0.2.1"])
def test_another_host_is_refused(server: Server, path: str, host: str) -> None:
    """DNS rebinding: a page of another site whose name points here."""
    assert _ask(server, path, headers={"host": host}, auth=SECRET).status_code == 400


@pytest.mark.parametrize("path", ["/", *PATHS])
@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:9999", "null"])
def test_a_page_of_another_origin_is_refused(server: Server, path: str, origin: str) -> None:
    assert _ask(server, path, headers={"origin": origin}, auth=SECRET).status_code == 403
    assert server.session.done == 0


@pytest.mark.parametrize(
    "path",
    [
        "/../app.py",
        "/..%2fapp.py",
        "/app.py",
        "/page.html/../app.py",
        "/%2e%2e/app.py",
        "/static/page.js",
        "/api/media/1/..%2f..%2f/0",
        "/api/media/1/left/-1",
        "/api/media/-1/left/0",
        "/api/media/0/left/0",
        "/api/media/99/left/0",
        "/api/media/1/left/1",
        "/api/media/1/left/99999999999999999999",
    ],
)
def test_only_known_paths_are_answered(server: Server, path: str) -> None:
    answer = server.get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text
    assert server.errors == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"position": 1}', b'{"position": "1", "side": "left"}', b'{"position": 1, "side": "both"}',
     b'{"position": 1, "side": "left", "rater": "eve"}'],
)  # fmt: skip
def test_what_is_no_vote_is_refused(server: Server, body: bytes) -> None:
    assert server.post("/api/vote", body).status_code == 422
    assert server.session.done == 0


def test_a_long_body_is_refused(server: Server) -> None:
    assert server.post("/api/vote", b" " * 5000).status_code == 413


def test_a_vote_for_another_pair_changes_nothing_and_tells_the_state(server: Server) -> None:
    answer = server.post("/api/vote", {"position": 2, "side": "left"})
    assert (answer.status_code, answer.json()["current"]["position"], server.session.done) == (409, 1, 0)


def test_a_vote_that_cannot_be_saved_does_not_count(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "baseline.parquet")

    with monkeypatch.context() as patch:
        patch.setattr("skewbench.tasks.rating.votes.write_part", full)
        answer = server.post("/api/vote", {"position": 1, "side": "left"})
    assert (answer.status_code, server.session.done) == (500, 0)
    assert "baseline" not in answer.text
    assert "No space left" in str(server.errors[0])
    assert server.post("/api/vote", {"position": 1, "side": "left"}).json()["done"] == 1


def test_pages_run_no_script_but_their_own(server: Server) -> None:
    for path in ("/", "/page.js", "/api/state"):
        policy = server.get(path).headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
    page = server.get("/").text
    assert "<script>" not in page
    assert not re.search(r"\son\w+\s*=|style\s*=|javascript:", page)
    assert server.get("/").headers["x-frame-options"] == "SAMEORIGIN"
