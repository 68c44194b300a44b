"""Prompts from scenes and from files."""

from pathlib import Path

import pytest

from eval.scenes.captions import parse_caption
from tasks.errors import InputError
from tasks.experiment import PromptSpec
from tasks.prompts import load_prompts


def test_scene_captions_are_of_the_grammar() -> None:
    prompts = load_prompts(PromptSpec(source="scenes", count=40, objects=(1, 2, 3)))
    assert len({prompt.id for prompt in prompts}) == 40
    for i, prompt in enumerate(prompts):
        meaning = parse_caption(prompt.text)
        assert meaning is not None
        assert len(meaning.objects) == 1 + i % 3
        assert prompt.category == ("1 object", "2 objects", "3 objects")[i % 3]


def test_file_is_read_in_order_without_doubles(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("\ufeffa cat\n\n  a dog \r\na cat\nan ünïcode owl\n", encoding="utf-8")
    spec = PromptSpec(source="file", path=str(path))
    assert [prompt.text for prompt in load_prompts(spec)] == ["a cat", "a dog", "an ünïcode owl"]
    assert len(load_prompts(spec.model_copy(update={"count": 2}))) == 2


@pytest.mark.parametrize(
    ("content", "count", "said"),
    [
        (b"\n  \n", None, "no prompts"),
        (b"a\nb\n", 3, "only 2"),
        (b"\xff\xfe", None, "not UTF-8"),
        (None, None, "No such"),
    ],
)
def test_bad_file(tmp_path: Path, content: bytes | None, count: int | None, said: str) -> None:
    path = tmp_path / "prompts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_prompts(PromptSpec(source="file", path=str(path), count=count))
