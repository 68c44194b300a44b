"""The evaluation that the bundled models share: which captions it asks for, what it prints, its contact sheet."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skewbench.eval.scenes.captions import parse_caption
from skewbench.tasks.prompts import Prompt
from skewbench.training.scenes import Images, contact_sheet, evaluate


def test_it_prints_binding_by_number_of_objects_and_writes_the_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    prompts: list[Prompt] = []

    def generate(chosen: list[Prompt]) -> Images:
        prompts.extend(chosen)
        return np.full((len(chosen), 64, 64, 3), 128, np.uint8)

    evaluate(generate, "grey images", prompts=2, seed=1, sheet=tmp_path / "sheet.png")
    meanings = [parse_caption(prompt.text) for prompt in prompts]
    assert [len(meaning.objects) for meaning in meanings if meaning] == [1, 2, 3, 1, 2, 3]
    printed = capsys.readouterr().out
    assert "grey images, 2 captions each" in printed
    presence = next(line for line in printed.splitlines() if "presence" in line)
    assert presence.count("0.000 [0.000, 0.000]") == 3
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (8 * 136, 136)


def test_a_contact_sheet_fills_its_last_row_with_white() -> None:
    sheet = contact_sheet(np.zeros((3, 4, 4, 3), np.uint8), across=2)
    assert sheet.shape == (2 * 16, 2 * 16, 3)
    assert (sheet[16:, 16:] == 255).all()
    assert (sheet[4:12, 4:12] == 0).all()
