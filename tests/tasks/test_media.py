"""Each medium judges its samples, keeps them in its table, and gives them back to scorers."""

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from skewbench.storage.records import Manifest
from skewbench.storage.table import Table
from skewbench.storage.tables import TABLES
from skewbench.tasks.media import MEDIA, medium_of
from skewbench.tasks.size import SIZES, Size
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.metrics import Medium

RATE = 8000
SIZE: dict[Medium, Size] = {
    "image": Size(24, 16),
    "audio": Size(duration=0.5, sampling_rate=RATE),
    "video": Size(24, 16, 5, fps=8.0),
}
every_medium = pytest.mark.parametrize("medium", list(MEDIA))


def _sample(medium: Medium) -> np.ndarray:
    """As a family generates it: float32."""
    rng = np.random.default_rng(0)
    if medium == "audio":
        return rng.uniform(-1, 1, RATE // 2).astype(np.float32)
    return rng.random({"image": (16, 24, 3), "video": (5, 16, 24, 3)}[medium], np.float32)


@every_medium
def test_a_sample_is_ok_blank_or_not_finite(medium: Medium) -> None:
    kind, sample = MEDIA[medium], _sample(medium)
    assert kind.judge(sample) == ("ok", None)
    status, reason = kind.judge(np.full_like(sample, 0.25))
    assert status == "blank"
    assert kind.noun in (reason or "")
    sample.flat[3] = np.nan
    assert kind.judge(sample) == ("nonfinite", f"1 values of the {kind.noun} are not finite")


def test_a_video_with_something_in_one_frame_is_not_blank() -> None:
    sample = _sample("video")
    sample[:4] = 0
    assert MEDIA["video"].judge(sample) == ("ok", None)


@every_medium
def test_a_sample_comes_back_from_its_table(medium: Medium) -> None:
    kind, sample = MEDIA[medium], _sample(medium)
    sample.flat[3] = np.nan
    row = kind.columns(sample, SIZE[medium], "cell-p-0")
    assert row == kind.columns(sample, SIZE[medium], "cell-p-0")
    ids = {"sample_id": "s", "pair_id": "p", "cell": "cell", "prompt_id": "p", "seed": 0}
    (stored,) = kind.table.of_rows([{**ids, **row}]).to_pylist()
    batch = kind.batch([kind.decode(stored), kind.decode(stored)])
    values = batch if medium == "image" else batch.samples if medium == "audio" else batch.frames
    step = 1 / 32767 if medium == "audio" else 1 / 255
    scaled = values if medium == "audio" else values / 255
    assert values.shape == (2, *sample.shape)
    assert np.abs(scaled[1] - np.nan_to_num(sample)).max() <= 0.51 * step
    assert kind.content(stored) == row[kind.file]["bytes"]
    assert stored[kind.file]["path"] == f"cell-p-0.{kind.extension}"
    with Image.open(io.BytesIO(row[kind.picture]["bytes"])) as picture:
        assert picture.format == "PNG"
    assert kind.content({kind.file: None}) is None
    assert len(row[kind.file]["bytes"]) < 1.2 * kind.disk(SIZE[medium]) + 4000


@pytest.mark.parametrize(("name", "files"), [
    ("images", {"image": "Image"}),
    ("audio", {"audio": "Audio", "spectrogram": "Image"}),
    ("video", {"video": "Video", "strip": "Image"}),
])  # fmt: skip
def test_the_library_datasets_is_told_what_columns_hold(name: str, files: dict[str, str]) -> None:
    table: Table = TABLES[name]
    features: dict[str, Any] = json.loads(table.metadata[b"huggingface"])["info"]["features"]
    assert list(features) == table.schema.names
    assert {column: kind["_type"] for column, kind in features.items() if kind["_type"] != "Value"} == files
    assert all(
        kind["dtype"] in ("string", "int32", "float64") for kind in features.values() if kind["_type"] == "Value"
    )


def test_a_spectrogram_is_bright_where_a_tone_is() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    content = MEDIA["audio"].columns(tone, SIZE["audio"], "tone")["spectrogram"]["bytes"]
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    row = int(pixels.mean(axis=1).argmax())
    edges = np.geomspace(30, RATE / 2, len(pixels) + 1)[::-1]
    assert edges[row + 1] * 0.95 <= 1000 <= edges[row] * 1.05


def test_sizes_are_columns_of_samples() -> None:
    assert set(SIZES) <= set(TABLES["samples"].schema.names)
    size = Size(32, 16, 5, fps=8.0)
    assert Size.of_row({**size.known, "cell": "a"}) == size
    assert size.chosen == {"width": 32, "height": 16, "frames": 5}


def test_a_manifest_of_before_is_of_images_and_an_unknown_medium_is_an_error() -> None:
    assert medium_of(Manifest("a-01234567", "a", "committed", "")) == "image"
    with pytest.raises(InputError, match="run a-01234567 generated smell; one of image, audio, video is known"):
        medium_of(Manifest("a-01234567", "a", "committed", "", identity={"medium": "smell"}))
