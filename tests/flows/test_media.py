"""Audio and video through the command: run, score, query, report; and what does not fit a medium."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from skewbench import sql
from skewbench.eval.cpu_torchvision import define_missing_operators
from tests.flows.command import run_in_process, write_experiment

define_missing_operators()
from tests.tiny_media import save_tiny_audioldm, save_tiny_wan  # noqa: E402  (imports diffusers)

SIZES: dict[str, dict[str, Any]] = {"audio": {"duration": 0.3}, "video": {"width": 32, "height": 32, "frames": 5}}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of a tiny model of audio and of one of video."""
    folder = tmp_path_factory.mktemp("media")
    return {"audio": save_tiny_audioldm(folder / "audioldm"), "video": save_tiny_wan(folder / "wan")}


def _experiment(folder: Path, model: Path, generation: dict[str, Any], **changes: Any) -> str:
    prompts = {"source": "scenes", "count": 2}
    return write_experiment(
        folder, model={"id": str(model)}, prompts=prompts, generation={"steps": 1, **generation}, **changes
    )


@pytest.mark.parametrize(
    ("medium", "metrics", "later", "players"),
    [
        ("audio", ["onset_rate", "msstft_diversity"], "spectral_flatness", '<audio controls preload="none" src="data:'),
        ("video", ["frame_sharpness"], "frame_change", 'alt="Frames of '),
    ],
)
def test_a_run_of_another_medium(
    tmp_path: Path,
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    medium: str,
    metrics: list[str],
    later: str,
    players: str,
) -> None:
    experiment = _experiment(tmp_path, models[medium], SIZES[medium], metrics=metrics)
    lake = str(tmp_path / "lake")

    def command(*arguments: str, expected: int = 0) -> str:
        done = run_in_process(monkeypatch, *arguments, "--lake", lake)
        assert done.returncode == expected, done.stderr
        return " ".join((done.stdout + done.stderr).split())

    command("run", experiment, "--local")
    refused = command("score", "--metrics", "sharpness", "--local", expected=2)
    assert f"metrics 'sharpness': it scores image, and the model generates {medium}; scorers of {medium}: " in refused
    command("score", "--metrics", "all", "--local")
    with sql.connect(lake) as opened:
        (size,) = set(opened.execute("SELECT medium, width, height, frames, duration, fps FROM samples").fetchall())
        assert size == (("audio", None, None, None, 0.3, None) if medium == "audio" else ("video", 32, 32, 5, None, 16))
        assert opened.execute(f"SELECT count(*) FROM {medium}").fetchone() == (8,)
        scores = " UNION ALL ".join(f"SELECT metric, value, reason FROM {name}" for name in ("scores", "group_scores"))
        query = f"SELECT metric, count(value), any_value(reason) FROM ({scores}) GROUP BY 1"
        found = {metric: (values, reason) for metric, values, reason in opened.execute(query).fetchall()}
    assert all(found[metric][0] for metric in (*metrics, later))
    of_other_media = {"image": {"sharpness", "msssim_diversity", "aesthetic"}, "audio": {"onset_rate"}, "video": {"frame_change"}}
    assert not [metric for other, names in of_other_media.items() if other != medium for metric in names & set(found)]
    assert "skew" in command("query", "static_effect")
    page = next(Path(lake, "_reports").glob("*.html")).read_text(encoding="utf-8")
    assert page.count(players) >= 8
    assert "is complete; nothing to do" in command("run", experiment, "--local")


@pytest.mark.parametrize(
    ("medium", "generation", "changes", "message"),
    [
        ("audio", {"width": 64}, {}, "generation.width does not apply: .* generates audio, whose size is duration"),
        ("audio", {"duration": 1e-4}, {}, "generation.duration is 0.0001 s; at least 0.002 s are needed"),
        (
            "audio",
            {},
            {"metrics": ["sharpness"]},
            "metrics 'sharpness': it scores image, and the model generates audio",
        ),
        ("video", {"duration": 2.0}, {}, "duration does not apply: .* video, whose size is width, height, frames"),
        ("video", {"frames": 6}, {}, "generation.frames is 6; a multiple of 4 plus 1 is needed"),
        ("video", {"width": 24}, {}, "generation.width is 24; a multiple of 16 is needed"),
        ("video", {}, {"metrics": ["clip_score"]}, "scorers of video: frame_change, frame_sharpness"),
        (
            "image",
            {"frames": 5},
            {},
            "frames does not apply: 'shapes-xl' generates image, whose size is width",
        ),
        ("image", {}, {"metrics": ["onset_rate"]}, "it scores audio, and the model generates image"),
    ],
)
def test_what_does_not_fit_the_medium_is_one_line_in_plan(
    tmp_path: Path,
    models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    medium: str,
    generation: dict[str, Any],
    changes: dict[str, Any],
    message: str,
) -> None:
    fitting = {"audio": ["onset_rate"], "video": ["frame_change"], "image": ["contrast"]}[medium]
    model = models.get(medium, Path("shapes-xl"))
    experiment = _experiment(tmp_path, model, generation, **{"metrics": fitting, **changes})
    done = run_in_process(monkeypatch, "plan", experiment, "--lake", str(tmp_path / "lake"))
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert re.search(message, done.stderr), done.stderr


def test_the_default_metrics_are_named_as_absent(
    tmp_path: Path, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    default = ["binding", "msssim_diversity", "sharpness", "contrast"]
    experiment = _experiment(tmp_path, models["audio"], {}, metrics=default)
    done = run_in_process(monkeypatch, "plan", experiment, "--lake", str(tmp_path / "lake"))
    assert done.returncode == 0, done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert "metric sharpness has no values: it scores image, and the model generates audio" in said


def test_wan_with_a_second_transformer_is_refused(
    tmp_path: Path, models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    index = json.loads((models["video"] / "model_index.json").read_text())
    for part in models["video"].iterdir():
        (tmp_path / part.name).symlink_to(part)
    (tmp_path / "model_index.json").unlink()
    (tmp_path / "model_index.json").write_text(json.dumps({**index, "boundary_ratio": 0.9}))
    experiment = _experiment(tmp_path, tmp_path, {}, metrics=["frame_change"])
    done = run_in_process(monkeypatch, "plan", experiment, "--lake", str(tmp_path / "lake"))
    assert done.returncode == 2
    assert "it has a second transformer (Wan 2.2), and skewbench runs Wan 2.1" in done.stderr
