"""Linear probes of text encoders."""

import pytest
import torch

from skewbench.training.relations import main, probe


def test_a_probe_reads_what_is_there_and_nothing_else() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2000, 8, generator=generator)
    assert probe(inputs, inputs[:, 3] > 0) > 0.97
    assert probe(inputs, torch.rand(2000, generator=generator) > 0.5) == pytest.approx(0.5, abs=0.08)


def test_a_causal_encoder_tells_the_side_of_the_second_object_alone(capsys: pytest.CaptureFixture[str]) -> None:
    main("shapes-xl", captions=2000, seed=1)
    rows = [line for line in capsys.readouterr().out.splitlines() if "its side" in line]
    first, second = (float(row.split("│")[3]) for row in rows)
    assert first == pytest.approx(0.5, abs=0.08)
    assert second > 0.85
