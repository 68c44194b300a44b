"""Prefect as people use it: a real server with the flows, launched in a browser, cancelled, resumed, on a schedule."""

import hashlib
import os
import re
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml

from skewbench.flows.steps import limit_name
from skewbench.storage.manifest import find_run, list_runs
from skewbench.storage.store import LocalStore
from tests.browser import chromium, needs_chromium
from tests.flows.command import SMALL
from tests.flows.serving import PATIENCE, Server, served, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1200),  # several flows on a real server, on a machine that may be busy
]

_MODEL = limit_name("shapes-xl")
_LIMIT = f"concurrency limit of {_MODEL}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("up")) as up:
        yield up


@needs_chromium
def test_the_form_is_filled_in_a_browser_and_the_artifacts_are_there(server: Server) -> None:
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE * 1000)
    with chromium() as browser:
        name, password = server.credentials
        answers = {"username": name, "password": password}  # to the browser's own question, which reports make it ask
        page = browser.new_page(viewport={"width": 1280, "height": 1400}, http_credentials=answers)
        page.set_default_timeout(PATIENCE * 1000)
        page.goto(server.url)
        page.get_by_placeholder("admin:pass").fill("not:it")
        page.get_by_role("button", name="Login").click()
        expect(page.get_by_text("Invalid credentials")).to_be_visible()
        page.get_by_placeholder("admin:pass").fill(server.secret)
        page.get_by_role("button", name="Login").click()
        page.wait_for_url(re.compile("/dashboard"))
        page.get_by_role("link", name="Deployments").click()
        page.get_by_role("row").filter(has_text="benchmark").get_by_role("link", name="run-experiment").first.click()
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Custom run").click()

        expect(page.get_by_role("tab", name="As YAML")).to_be_visible()
        expect(page.get_by_text("The experiment: a bundled one by name")).to_be_visible()
        expect(page.get_by_text("Denoising steps. 0: the experiment's number.")).to_be_visible()
        expect(page.get_by_label("lake (Optional)")).to_have_value(str(server.lake))
        for name, value in {"Prompts": 1, "Seeds": 2, "Steps": 2}.items():
            page.get_by_label(f"{name} (Optional)").fill(str(value))
        _submit(page)

        flow_run = wait_for("the flow run", lambda: _newest_run(server))
        assert server.end_of(flow_run) == "COMPLETED", server.log(flow_run)
        run = find_run(LocalStore(server.lake), None)
        assert (run.status, run.samples) == ("committed", 4 * 1 * 2)

        page.goto(f"{server.url}/v2/runs/flow-run/{flow_run}")
        expect(page.get_by_text(f"benchmark {run.run_id}").first).to_be_visible()
        expect(page.get_by_text("model:shapes-xl").first).to_be_visible()
        page.goto(f"{server.url}/v2/artifacts/key/demo-summary")
        expect(page.get_by_text(f"Results of {run.run_id}").first).to_be_visible()
        summary = _artifact(server, "demo-summary")
        page.goto(f"{server.url}/v2/artifacts/artifact/{summary}")
        figure = page.get_by_role("img", name=re.compile("by cell|Scatter|Heatmap|Spearman|correlation", re.I)).first
        expect(figure).to_be_visible()
        assert figure.evaluate("image => image.naturalWidth") > 100
        page.goto(f"{server.url}/v2/artifacts/artifact/{_artifact(server, 'demo-cells')}")
        expect(page.get_by_text("adaptive-a1.5-b5").first).to_be_visible()
        expect(page.get_by_text("shapes_clip_score").first).to_be_visible()
        page.goto(f"{server.url}/v2/artifacts/artifact/{_artifact(server, 'demo-report')}")
        page.get_by_role("link", name=f"report of {run.run_id}").click()
        page.wait_for_url(re.compile("/reports/"))
        expect(page.get_by_role("heading", name="demo").first).to_be_visible()
    log = server.log(flow_run)
    assert re.search(r"worker \d+ on .+: model .+ loaded in", log), log
    assert "2 ok" in log or "blank" in log
    tasks = server.ask("task_runs/filter", flow_runs={"id": {"any_": [flow_run]}})
    assert {"generate baseline", "score baseline"} <= {task["name"] for task in tasks}
    progress = server.ask(
        "artifacts/filter", artifacts={"flow_run_id": {"any_": [flow_run]}, "type": {"any_": ["progress"]}}
    )
    assert [artifact["data"] for artifact in progress] == [100.0] * 8


def test_cancelling_stops_the_workers_and_the_run_is_resumed(server: Server, record_property) -> None:  # type: ignore[no-untyped-def]
    """Cancelled through the API, as the UI does; resumed in the terminal, on the same server, stopped there by Ctrl-C,
    and resumed again.
    """
    prompts, workers = {"source": "scenes", "count": 12}, {"count": 1, "batch": 4, "shard": 4}
    changes = {"name": "cancelled", "prompts": prompts, "generation": {"steps": 12}, "metrics": ["contrast"]}
    text = yaml.safe_dump({**SMALL, **changes, "workers": workers})
    flow_run = server.launch("benchmark", experiment={"yaml": text}, lake=str(server.lake))
    wait_for("the first shard", lambda: _receipts(server) or server.state(flow_run) == "FAILED")
    assert server.processes("ray::"), server.log(flow_run)

    server.ask(f"flow_runs/{flow_run}/set_state", state={"type": "CANCELLING"})
    began = time.monotonic()
    wait_for("the workers' end", lambda: not server.processes("ray::"), every=0.05)
    seconds = time.monotonic() - began
    record_property("seconds_until_workers_ended", seconds)
    print(f"workers had ended {seconds:.1f} s after the run was cancelled")
    assert server.end_of(flow_run) == "CANCELLED"
    assert not server.processes("raylet")
    kept = _receipts(server)
    assert 0 < len(kept) < 6

    file = server.home.parent / "cancelled.yaml"
    file.write_text(text)
    with server.starting("run", str(file)) as command:
        wait_for("another shard", lambda: len(_receipts(server)) > len(kept) or command.poll() is not None)
        os.killpg(command.pid, signal.SIGINT)
        _, said = command.communicate(timeout=PATIENCE)
    assert (command.returncode, "stopped; run the same command again to resume" in said) == (130, True), said
    assert "stopping; press Ctrl-C again to kill" in said
    assert "Traceback" not in said
    assert server.ask("flow_runs/filter", sort="START_TIME_DESC")[0]["state_type"] == "CANCELLED"
    assert len(_receipts(server)) < 6  # it did not go on to the end first
    assert not [process for process in psutil.Process().children(recursive=True) if "ray" in process.name()]

    done = server.command("run", str(file), "--local")
    assert done.returncode == 0, done.stderr
    assert kept.items() <= _receipts(server).items()
    assert find_run(LocalStore(server.lake), "cancelled").status == "committed"
    names = [run["name"] for run in server.ask("flow_runs/filter", sort="START_TIME_DESC")]
    assert sum(name.startswith("benchmark cancelled-") for name in names) == 2


def test_a_night_runs_by_its_schedule_and_waits_for_its_models_turn(server: Server) -> None:
    """A night that the server itself scheduled, and a flow that was launched by hand, while the model is taken."""
    tiny = SMALL | {"prompts": {"source": "scenes", "count": 1}, "generation": {"steps": 1}, "metrics": ["contrast"]}
    tiny["cells"] = SMALL["cells"][:1]
    file = server.home.parent / "tiny.yaml"
    file.write_text(yaml.safe_dump({**tiny, "name": "tiny"}))
    both = ("--nightly-experiment", "nightly", "--nightly-experiment", "nightly-mmdit")
    before = server.command("up", "--nightly", "30 1 * * *", *both)
    assert before.returncode == 0, before.stderr
    assert all(f"30 1 * * * (UTC), experiment {name}; next 20" in before.stdout for name in both[1::2]), before.stdout
    scheduled = server.command("up", "--nightly", "0 2 * * *", "--nightly-experiment", str(file))
    assert "nightly  0 2 * * * (UTC), experiment tiny; next 20" in scheduled.stdout, scheduled.stderr
    night = wait_for("a night of the schedule", lambda: _scheduled(server))[0]
    assert night["expected_start_time"][10:16] == "T02:00"

    limit = {"names": [_MODEL], "slots": 1, "lease_duration": 3600}
    taken = server.ask("v2/concurrency_limits/increment-with-lease", **limit)["lease_id"]
    launched = server.launch("generate", experiment={"yaml": yaml.safe_dump({**tiny, "name": "by-hand"})})
    now = {"type": "SCHEDULED", "state_details": {"scheduled_time": datetime.now(UTC).isoformat()}}
    server.ask(f"flow_runs/{night['id']}/set_state", state=now, force=True)
    runs = (night["id"], launched)
    wait_for("both to wait", lambda: all(f"waiting for the {_LIMIT}" in _log(server, run) for run in runs))
    released = datetime.now(UTC)
    server.ask("v2/concurrency_limits/decrement-with-lease", lease_id=taken)
    for run in runs:
        assert server.end_of(run) == "COMPLETED", server.log(run)

    first, second = sorted(_at_work(server, run) for run in runs)
    assert released < first[0] < first[1] <= second[0], (released, first, second)
    (run,) = (run for run in list_runs(LocalStore(server.lake)) if run.name == "tiny")
    assert (run.status, run.experiment["repeat"]) == ("committed", f"{night['expected_start_time'][:19]}Z")
    assert server.ask(f"flow_runs/{night['id']}")["name"] == f"nightly tiny {run.experiment['repeat']}"

    assert "nightly  not scheduled" in server.command("up", "--nightly", "off").stdout
    assert not _scheduled(server)


def test_down_ends_all_that_up_started(server: Server) -> None:
    assert server.processes("skewbench.flows.serving")
    again = server.command("up")
    assert (again.returncode, "already running" in again.stdout) == (0, True)
    ended = server.command("down")
    assert (ended.returncode, ended.stdout.strip()) == (0, f"stopped {server.url}")
    assert server.processes() == []
    assert "nothing to stop" in server.command("down").stdout


def _submit(page: "Page") -> None:
    """Press Submit until the form is left. On a busy machine the server refuses a request now and then; the form then
    shows an error message for four seconds and waits.
    """
    from playwright.sync_api import TimeoutError as NotYet

    refusals: list[str] = []
    page.on("response", lambda answer: refusals.append(f"{answer.status} {answer.url}") if not answer.ok else None)
    page.on("console", lambda line: refusals.append(line.text) if line.type == "error" else None)
    submit = page.get_by_role("button", name="Submit")
    for _ in range(5):
        submit.click()
        try:
            submit.wait_for(state="detached", timeout=60_000)
            return
        except NotYet:
            continue
    raise AssertionError(f"the form was not accepted: {refusals}")


def _scheduled(server: Server) -> list[dict[str, Any]]:
    """Runs that the server has scheduled, the next one first."""
    auto = {"state": {"type": {"any_": ["SCHEDULED"]}}, "deployment_id": {"is_null_": False}}
    found = server.ask("flow_runs/filter", flow_runs=auto, sort="EXPECTED_START_TIME_ASC")
    return [run for run in found if run["auto_scheduled"]]


def _family(server: Server, flow_run: str) -> list[str]:
    """A flow run and those that it started."""
    children = server.ask("flow_runs/filter", flow_runs={"parent_flow_run_id": {"any_": [flow_run]}})
    return [flow_run, *(child["id"] for child in children)]


def _log(server: Server, flow_run: str) -> str:
    return "\n".join(server.log(run) for run in _family(server, flow_run))


def _at_work(server: Server, flow_run: str) -> tuple[datetime, datetime]:
    """From when its turn came until it gave it back. A flow's last lines may reach the server after its end."""
    of_family = {"flow_run_id": {"any_": _family(server, flow_run)}}

    def said_at(said: str) -> list[datetime]:
        lines = server.ask("logs/filter", logs=of_family)
        return [datetime.fromisoformat(line["timestamp"]) for line in lines if said in line["message"]]

    (came,), (back,) = (
        wait_for(f"{said!r}", lambda said=said: said_at(said))
        for said in (f" s for the {_LIMIT}", f"released the {_LIMIT}")
    )
    return came, back


def _newest_run(server: Server) -> str | None:
    found = server.ask("flow_runs/filter", sort="EXPECTED_START_TIME_DESC")
    return found[0]["id"] if found else None


def _artifact(server: Server, key: str) -> str:
    found = server.ask("artifacts/filter", artifacts={"key": {"any_": [key]}}, sort="CREATED_DESC")
    assert found, key
    return str(found[0]["id"])


def _receipts(server: Server) -> dict[str, str]:
    paths = server.lake.glob("_receipts/run_id=cancelled-*/*.json")
    found = {path.name: path.read_bytes() for path in paths}
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items() if b"generation" in content}
