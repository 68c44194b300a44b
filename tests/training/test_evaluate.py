"""The command that measures a model of scenes."""

from pathlib import Path

import pytest
import typer
from PIL import Image

from skewbench.tasks.models import BUNDLED, CAPTIONS
from skewbench.training.evaluate import main

OF_SCENES = [name for name, captions in CAPTIONS.items() if captions == "scenes"]


@pytest.mark.parametrize("model", [*OF_SCENES, str(BUNDLED["shapes-xl"])])
def test_it_prints_means_and_writes_a_sheet(model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(model, prompts=2, steps=2, guidance=5.0, seed=1, device="cpu", sheet=tmp_path / "sheet.png")
    printed = capsys.readouterr().out
    assert "1 object " in printed
    assert "s of processor time per image" in printed
    assert "relation" in printed
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (8 * 136, 136)  # a row of 8, of which 6 are images


def test_a_model_of_sounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CAPTIONS, "sounds", "sounds")
    with pytest.raises(typer.BadParameter, match=r"run skewbench.training.sounds.evaluate"):
        main("sounds")
