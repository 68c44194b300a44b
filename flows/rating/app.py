"""The application of the rating page: its files, the state of the session, samples, votes and undo.

Nothing that it sends names a cell, a run, a sample or a file: addresses have a position and a side. Answers of the API
need the password (`skewbench.flows.serving.guard`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from skewbench.flows.rating.media import Media
from skewbench.flows.serving import guard
from skewbench.tasks.rating import Placed, Question, Session, StaleVoteError
from skewbench.tasks.rating.session import Side

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

_FILES = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src blob: data:; "
    "media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
_LONGEST = 1000
"""Bytes of a request's body."""


class _Vote(BaseModel):
    """The body of a vote."""

    model_config = ConfigDict(extra="forbid", strict=True)

    position: int
    side: Side


@dataclass(frozen=True)
class Rating:
    """What the page needs.

    Args:
        session: The rater's session.
        media: The samples.
        question: What is asked.
        finish: Called after the last vote, in a thread. Returns whether the votes are committed.
        report: Called with an error, for the terminal: the page must not show it, because it may name cells.
    """

    session: Session
    media: Media
    question: Question
    finish: Callable[[], bool]
    report: Callable[[Exception], None]


def create_app(rating: Rating, host: str, secret: str) -> "ASGIApp":
    """Build the application behind the checks of `guard`.

    Args:
        rating: What the page needs.
        host: Address on which the server listens.
        secret: `NAME:PASSWORD` that the API asks for.

    Raises:
        InputError: A name in `SKEWBENCH_TRUSTED_HOSTS` is not allowed.
    """
    from starlette.applications import Starlette
    from starlette.routing import Route

    routes = [
        *(Route(path, partial(_file, name, kind), name=name) for path, (name, kind) in _FILES.items()),
        Route("/api/state", partial(_state, rating), name="state"),
        Route("/api/media/{position:int}/{side}/{index:int}", partial(_sample, rating), name="sample"),
        Route("/api/vote", partial(_vote, rating), methods=["POST"], name="vote"),
        Route("/api/undo", partial(_undo, rating), methods=["POST"], name="undo"),
    ]
    return guard.protect(Starlette(routes=routes), host, secret=secret)


def describe(rating: Rating) -> dict[str, Any]:
    """Describe the state of the session for the page.

    Args:
        rating: What the page needs.
    """
    session = rating.session
    return {
        "question": rating.question,
        "medium": rating.media.medium,
        "done": session.done,
        "total": session.total,
        "current": _shown(session.current()),
        "next": _shown(session.following()),
    }


def _shown(placed: Placed | None) -> dict[str, Any] | None:
    """A comparison, without what tells its sides apart."""
    if placed is None:
        return None
    return {"position": placed.position, "prompt": placed.comparison.prompt, "samples": len(placed.samples[0])}


def _file(name: str, kind: str, _request: "Request") -> "Response":
    from starlette.responses import Response

    return Response((files(__package__) / name).read_bytes(), media_type=kind, headers=_HEADERS)


def _json(content: dict[str, Any], status: int = 200) -> "Response":
    from starlette.responses import JSONResponse

    return JSONResponse(content, status, headers=_HEADERS)


def _state(rating: Rating, _request: "Request") -> "Response":
    return _json(describe(rating))


def _sample(rating: Rating, request: "Request") -> "Response":
    from starlette.responses import Response

    given = request.path_params
    placed = rating.session.at(given["position"])
    sides = {"left": 0, "right": 1}
    if placed is None or given["side"] not in sides:
        return _json({"error": "There is no such sample."}, 404)
    ids = placed.samples[sides[given["side"]]]
    try:
        content = rating.media.read(ids[given["index"]]) if given["index"] < len(ids) else None
    except Exception as error:
        rating.report(error)
        return _json({"error": "The sample cannot be read; the terminal says why."}, 500)
    if content is None:
        return _json({"error": "There is no such sample."}, 404)
    return Response(content, media_type=rating.media.type, headers=_HEADERS)


async def _vote(rating: Rating, request: "Request") -> "Response":
    from starlette.concurrency import run_in_threadpool

    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LONGEST:
            return _json({"error": "The request is too long."}, 413)
    try:
        vote = _Vote.model_validate_json(body)
    except ValidationError:
        return _json({"error": "This is not a vote."}, 422)
    return await run_in_threadpool(_voted, rating, vote)


def _voted(rating: Rating, vote: _Vote) -> "Response":
    try:
        rating.session.vote(vote.position, vote.side)
    except StaleVoteError:
        return _json({"error": "This pair was rated in another window."} | describe(rating), 409)
    except Exception as error:
        rating.report(error)
        return _json({"error": "The vote was not saved; the terminal says why."}, 500)
    state = describe(rating)
    if state["current"] is None:
        state["committed"] = rating.finish()
    return _json(state)


def _undo(rating: Rating, _request: "Request") -> "Response":
    try:
        rating.session.undo()
    except Exception as error:
        rating.report(error)
        return _json({"error": "The vote was not taken back; the terminal says why."}, 500)
    return _json(describe(rating))
