"""Which requests the server answers, by name, by page and by password, and the link that signs a person in."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from prefect.settings import PREFECT_SERVER_API_AUTH_STRING, temporary_settings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from skewbench.flows.cli import _bypass_proxies
from skewbench.flows.serving import guard, password, sign_in, state
from skewbench.vocabulary.errors import InputError

SECRET = ("skewbench", "not-to-be-guessed")


async def _page(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


async def _socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_text("here")
    await websocket.close()


def _server(host: str = "127.0.0.1", origins: str = "") -> TestClient:
    routes = [
        Route("/", _page),
        Route("/api/{path:path}", _page, methods=["GET", "POST", "OPTIONS"]),
        WebSocketRoute("/api/events/in", _socket),
    ]
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: ":".join(SECRET)}):
        return TestClient(guard.protect(Starlette(routes=routes), host, origins), base_url="http://127.0.0.1:4200")


@pytest.fixture
def server() -> Iterator[TestClient]:
    with _server() as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:4200", "localhost:1234", "[::1]:4200", "LOCALHOST"])
def test_its_own_names(server: TestClient, host: str) -> None:
    assert server.get("/", headers={"host": host}).text == "here"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example:4200", "evil.example:4200", "192.0.2.1", "[::2]", "", "[::1", "a b"],
)
def test_another_name_is_refused_also_with_the_password(server: TestClient, host: str) -> None:
    for path in ("/", "/api/health", "/api/flows/filter"):
        assert server.get(path, headers={"host": host}, auth=SECRET).status_code == 400


FOREIGN = ["http://evil.example", "http://127.0.0.1:9999", "http://127.0.0.1", "null", "", "http://["]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_page_of_another_origin_is_refused_also_with_the_password(server: TestClient, origin: str) -> None:
    for ask in (server.get, server.post, server.options):
        for path in ("/", "/api/health", "/api/flows/filter"):
            answer = ask(path, headers={"origin": origin}, auth=SECRET)
            assert (answer.status_code, "here" in answer.text) == (403, False)
            assert not [name for name in answer.headers if name.startswith("access-control")]
    with (
        pytest.raises(WebSocketDisconnect),
        server.websocket_connect("ws://127.0.0.1:4200/api/events/in", headers={"origin": origin}),
    ):
        pass


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:4200", "https://127.0.0.1:4200"])
def test_its_own_pages_and_programs(server: TestClient, origin: str | None) -> None:
    headers = {} if origin is None else {"origin": origin}
    assert server.post("/api/flows/filter", headers=headers, auth=SECRET).text == "here"
    with server.websocket_connect("ws://127.0.0.1:4200/api/events/in", headers=headers) as connected:
        assert connected.receive_text() == "here"


@pytest.mark.parametrize("path", ["/api/flows/filter", "/api/", "/api/health/", "/api/variables/health", "/api/docs"])
def test_the_api_asks_for_the_password(server: TestClient, path: str) -> None:
    for ask in (server.get, server.post):
        for auth in (None, ("skewbench", "guessed"), ("", "")):
            assert ask(path, auth=auth).status_code == 401
    assert server.get(path, auth=SECRET).status_code == 200


def test_what_is_open_to_all(server: TestClient) -> None:
    assert [server.get(path).status_code for path in ("/", "/api/health", "/api/ready")] == [200, 200, 200]


def test_no_page_of_another_site_shows_it(server: TestClient) -> None:
    headers = server.get("/").headers
    assert (headers["x-frame-options"], headers["cross-origin-resource-policy"]) == ("SAMEORIGIN", "same-origin")


def test_origins_that_the_user_allows() -> None:
    with _server(origins="https://a.example, https://b.example") as server:
        for origin, status in (("https://b.example", 200), ("https://c.example", 403)):
            assert server.get("/api/x", headers={"origin": origin}, auth=SECRET).status_code == status
    with _server(origins="*") as server:
        assert server.get("/api/x", headers={"origin": "https://c.example"}, auth=SECRET).status_code == 200


def test_the_names_of_a_server_on_all_interfaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(guard.TRUSTED, raising=False)
    assert guard.trusted_hosts("bench") == ["127.0.0.1", "localhost", "[::1]", "bench"]
    assert socket.gethostname() not in guard.trusted_hosts("127.0.0.1")
    assert socket.gethostname() in guard.trusted_hosts("0.0.0.0")
    monkeypatch.setenv(guard.TRUSTED, "bench.example.org, *.lab.example.org,")
    with _server() as server:
        for host, status in (("bench.example.org:80", 200), ("a.lab.example.org", 200), ("example.org", 400)):
            assert server.get("/", headers={"host": host}).status_code == status


@pytest.mark.parametrize("name", ["http://bench", "bench:4200", "*bench", "a b", "::1"])
def test_a_trusted_host_that_is_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(guard.TRUSTED, f"fine.example, {name}")
    with pytest.raises(InputError, match=r"SKEWBENCH_TRUSTED_HOSTS has .*without a port"):
        guard.trusted_hosts("127.0.0.1")


def test_a_password_is_another_each_time() -> None:
    made = {password.make() for _ in range(10)}
    assert len(made) == 10
    assert all(len(one.removeprefix("skewbench:")) == 32 for one in made)


def test_the_file_of_the_password_is_private_from_its_creation_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    (tmp_path / "skewbench-password").write_text("old")
    (tmp_path / "skewbench-password").chmod(0o644)
    modes: list[int] = []
    replace = state.os.replace

    def replacing(source: str, target: Path) -> None:
        modes.append(Path(source).stat().st_mode & 0o777)
        replace(source, target)

    monkeypatch.setattr(state.os, "replace", replacing)
    password.keep("skewbench:new")
    assert (modes, password.of_up()) == ([0o600], "skewbench:new")
    assert [path.name for path in tmp_path.iterdir()] == ["skewbench-password"]
    assert password.path().stat().st_mode & 0o777 == 0o600
    with temporary_settings({PREFECT_SERVER_API_AUTH_STRING: "mine:own"}):
        assert password.of_up() == "mine:own"
    password.forget()
    assert password.of_up() is None


def test_the_link_keeps_the_password_behind_the_hash() -> None:
    parts = urlsplit(sign_in.link("http://127.0.0.1:4200", "me:a#b?c/ä%"))
    assert (parts.path, parts.query, unquote(parts.fragment)) == ("/sign-in", "", "me:a#b?c/ä%")


@pytest.mark.parametrize("given", ["", "internal.example, 127.0.0.1"])
def test_loopback_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("NO_PROXY", given)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    _bypass_proxies()
    from urllib.request import proxy_bypass_environment

    for host in ("127.0.0.1:4200", "localhost:4200", *filter(None, [given.split(",")[0]])):
        assert proxy_bypass_environment(host), host
    assert not proxy_bypass_environment("elsewhere.example")
