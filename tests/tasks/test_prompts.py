"""Prompts from scenes and from files."""

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from skewbench.eval.attributes.prompts import attributes_of, open_attributes
from skewbench.eval.scenes.captions import parse_caption
from skewbench.storage.tables.samples import SAMPLES
from skewbench.tasks import prompts
from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.identity import run_id
from skewbench.tasks.plan import plan_shards
from skewbench.tasks.prompts import Prompt, load_prompts
from skewbench.tasks.size import Size
from skewbench.vocabulary.errors import InputError
from tests.tasks.experiments import small


def test_scene_captions_are_of_the_grammar() -> None:
    prompts = load_prompts(PromptSpec(source="scenes", count=40, objects=(1, 2, 3)))
    assert len({prompt.id for prompt in prompts}) == 40
    for i, prompt in enumerate(prompts):
        meaning = parse_caption(prompt.text)
        assert meaning is not None
        assert len(meaning.objects) == 1 + i % 3
        assert prompt.category == ("1 object", "2 objects", "3 objects")[i % 3]


@pytest.mark.parametrize(("source", "objects", "split", "noun"), [
    ("scenes", (2, 1), "test", "1 object"), ("sounds", (1,), "train", "1 event"),
])  # fmt: skip
def test_more_captions_than_a_grammar_has(source: str, objects: tuple[int, ...], split: str, noun: str) -> None:
    """An error, not a search without end."""
    spec = PromptSpec.model_validate({"source": source, "count": 20_000, "objects": objects, "split": split})
    with pytest.raises(InputError, match=f"no more different captions of {noun} in the {split} split after [0-9]+ "):
        load_prompts(spec)


def test_file_is_read_in_order_without_doubles(tmp_path: Path) -> None:
    path = tmp_path / "prompts.txt"
    path.write_text("\ufeffa cat\n\n  a dog \r\na cat\nan ünïcode owl\n", encoding="utf-8")
    spec = PromptSpec(source="file", path=str(path))
    assert [prompt.text for prompt in load_prompts(spec)] == ["a cat", "a dog", "an ünïcode owl"]
    assert len(load_prompts(spec.model_copy(update={"count": 2}))) == 2


def test_a_line_ends_at_its_end_alone(tmp_path: Path) -> None:
    """And not at what Unicode calls a separator, which texts from the web have within lines."""
    odd = ["a\u2028cat", "a\x85dog", "an\x0cowl", "a\x1cbat", "a\x0bcow"]
    for end in ("\n", "\r\n", "\r"):
        assert _texts(tmp_path, "txt", end.join(odd)) == odd
        assert (
            _texts(tmp_path, "jsonl", end.join(json.dumps({"prompt": text}, ensure_ascii=False) for text in odd)) == odd
        )
        assert _texts(tmp_path, "csv", end.join(["prompt,kind", *(f"{text},x" for text in odd)])) == odd


def _texts(folder: Path, ending: str, content: str, **fields: str) -> list[str]:
    path = folder / f"prompts.{ending}"
    path.write_bytes(content.encode())
    return [
        prompt.text
        for prompt in load_prompts(PromptSpec.model_validate({"source": "file", "path": str(path), **fields}))
    ]


def test_only_some_prompts_by_id() -> None:
    every = load_prompts(PromptSpec(source="natural", count=20))
    ids = (every[7].id, every[2].id)
    assert load_prompts(PromptSpec(source="natural", count=20, only=ids)) == [every[7], every[2]]
    with pytest.raises(InputError, match=r"prompts.only 'nowhere': 'natural' has no prompt of this id"):
        load_prompts(PromptSpec(source="natural", only=("nowhere",)))


@pytest.mark.parametrize(
    ("content", "count", "said"),
    [
        (b"\n  \n", None, "no prompts"),
        (b"a\nb\n", 3, "only 2"),
        (b"\xff\xfe", None, "line 1 is not UTF-8"),
        (b"a cat\r\na dog\ra \xe9t\xe9\n", None, r"line 3 is not UTF-8 text \(byte 15\)"),
        (None, None, "No such"),
    ],
)
def test_bad_file(tmp_path: Path, content: bytes | None, count: int | None, said: str) -> None:
    path = tmp_path / "prompts.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_prompts(PromptSpec(source="file", path=str(path), count=count))


ROWS = {
    "prompt": ["a cat", "  a dog ", None, "", "a cat", "two owls, one bat"],
    "kind": ["animal", "animal", "none", "none", "again", "bird"],
    "n": [1, 2, 3, 4, 5, 6],
}


def _write(table: pl.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        table.write_csv(path)
    elif path.suffix == ".tsv":
        table.write_csv(path, separator="\t", quote_style="never")
    elif path.suffix == ".jsonl":
        table.write_ndjson(path)
    else:
        table.write_parquet(path)
    return path


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_tables_give_a_column_and_its_categories(tmp_path: Path, ending: str) -> None:
    path = str(_write(pl.DataFrame(ROWS), tmp_path / f"prompts.{ending}"))
    prompts = load_prompts(PromptSpec(source="file", path=path, category_column="kind"))
    found = [(prompt.text, prompt.category) for prompt in prompts]
    assert found == [("a cat", "animal"), ("a dog", "animal"), ("two owls, one bat", "bird")]
    kinds = load_prompts(PromptSpec(source="file", path=path, column="kind", count=2))
    assert [prompt.text for prompt in kinds] == ["animal", "none"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"column": "caption"}, "'caption': no such column .* its columns are prompt, kind, n, tags, raw"),
        ({"column": "n"}, "'n': contains Int64, not text"),
        ({"column": "tags"}, r"'tags': contains List\(String\), not text"),
        ({"category_column": "tags"}, r"category_column 'tags': contains List\(String\), not text"),
        ({"category_column": "raw"}, "category_column 'raw': contains Binary, not text"),
        ({"count": 9}, "only 3 different"),
        ({"category_column": "sort"}, "category_column 'sort'"),
    ],
)
def test_bad_columns(tmp_path: Path, fields: dict[str, object], said: str) -> None:
    table = pl.DataFrame(ROWS).with_columns(tags=pl.lit(["x"]), raw=pl.lit(b"x"))
    path = str(_write(table, tmp_path / "prompts.parquet"))
    with pytest.raises(InputError, match=said):
        load_prompts(PromptSpec.model_validate({"source": "file", "path": path, **fields}))


@pytest.mark.parametrize("kind", [pl.Categorical(), pl.Enum(["a cat", "a dog"])])
def test_prompts_as_categories(tmp_path: Path, kind: pl.DataType) -> None:
    path = _write(
        pl.DataFrame({"prompt": pl.Series(["a cat", "a dog", None], dtype=kind)}), tmp_path / "prompts.parquet"
    )
    pq.write_table(pq.read_table(path), tmp_path / "dictionary.parquet", use_dictionary=True)
    for name in ("prompts", "dictionary"):
        spec = PromptSpec(source="file", path=str(tmp_path / f"{name}.parquet"), category_column="prompt")
        assert [(prompt.text, prompt.category) for prompt in load_prompts(spec)] == [
            ("a cat", "a cat"),
            ("a dog", "a dog"),
        ]


def test_quotes_as_pandas_duckdb_and_excel_have_them(tmp_path: Path) -> None:
    """A TSV file has quotes if they are all well-formed, as programs write them, and none otherwise."""
    assert _texts(tmp_path, "csv", 'prompt,kind\na 5" nail,x\n"a ""big"", red\ncat",y\n') == [
        'a 5" nail',
        'a "big", red\ncat',
    ]
    written = 'prompt\tkind\n"a ""big""\tcat"\tx\n"a cat, a dog"\ty\na 5" nail\tz\n'
    assert _texts(tmp_path, "tsv", written) == ['a "big"\tcat', "a cat, a dog", 'a 5" nail']
    assert _texts(tmp_path, "tsv", 'prompt\tkind\n"bond" and James\tx\na cat\ty\n') == ['"bond" and James', "a cat"]
    assert _texts(tmp_path, "csv", "prompt,kind\na cat\n\na dog,x\n") == ["a cat", "a dog"]


HALF = "a \ud83d cat"  # what is left of an emoji that was cut in two


@pytest.mark.parametrize(
    ("ending", "content", "said"),
    [
        ("csv", 'prompt,kind\na cat,x\n"a dog,y\nan owl,z\n', "line 3: unexpected end of data"),
        ("csv", 'prompt,kind\n"a\nb",x\n"a" dog,y\n', "line 4: ',' expected after"),
        ("csv", "prompt,kind\na cat, a dog,x\n", "line 2 has 3 fields, but line 1 names 2 columns; put a field"),
        ("csv", "prompt,prompt\na,b\n", "line 1: two columns are named 'prompt'"),
        ("csv", "", "it is empty"),
        ("jsonl", '{"prompt": "a cat"}\n\n{"prompt"\n', "line 3: Expecting"),
        ("jsonl", '{"prompt": "a cat"}\n["a dog"]\n', "line 2: not an object of fields"),
        ("jsonl", "[" * 100_000, "line 1: maximum recursion depth"),
        ("jsonl", '{"prompt": "a cat"}\n{"prompt": 3}\n', "column 'prompt': contains a number in line 2, not text"),
        (
            "jsonl",
            json.dumps({"prompt": "a cat"}) + "\n" + json.dumps({"prompt": HALF}),
            "column 'prompt': line 2 has half",
        ),
    ],
)
def test_errors_name_the_line(tmp_path: Path, ending: str, content: str, said: str) -> None:
    with pytest.raises(InputError, match=f"{said}"):
        _texts(tmp_path, ending, content)


def test_halves_of_surrogate_pairs_are_refused_wherever_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = json.dumps({"prompt": "a cat", "kind": HALF})
    with pytest.raises(
        InputError, match=r"category_column 'kind': line 1 has half of a surrogate pair.*'a \\ud83d cat'"
    ):
        _texts(tmp_path, "jsonl", row, category_column="kind")
    assert _texts(tmp_path, "jsonl", row) == ["a cat"]
    assert _texts(tmp_path, "jsonl", json.dumps({"prompt": "a \U0001f600 cat"})) == ["a \U0001f600 cat"]
    notes = [{"image_id": 7, "id": 71, "caption": HALF}]
    (tmp_path / "captions.json").write_text(json.dumps({"annotations": notes}))
    with pytest.raises(InputError, match="caption 71 of image 7 has half of a surrogate pair"):
        load_prompts(PromptSpec(source="coco", path=str(tmp_path / "captions.json")))
    monkeypatch.setitem(prompts._SOURCES, "natural", lambda spec: [Prompt("id", "a cat", HALF)])
    with pytest.raises(InputError, match="prompts: 'a cat' has half of a surrogate pair"):
        load_prompts(PromptSpec(source="natural"))


def test_tables_that_cannot_be_read(tmp_path: Path) -> None:
    nameless = _write(pl.DataFrame({"a": ["x"], "b": ["y"]}), tmp_path / "nameless.csv")
    with pytest.raises(InputError, match="has no column of a usual name"):
        load_prompts(PromptSpec(source="file", path=str(nameless)))
    for ending in ("parquet", "jsonl"):
        (tmp_path / f"broken.{ending}").write_bytes(b"nothing of the kind")
        with pytest.raises(InputError, match=rf"not a readable \.{ending} table"):
            load_prompts(PromptSpec(source="file", path=str(tmp_path / f"broken.{ending}")))
    (tmp_path / "captions.json").write_text('{"annotations": []}')
    with pytest.raises(InputError, match=r"captions.json': unsupported file type.*\.jsonl.*source: coco"):
        load_prompts(PromptSpec(source="file", path=str(tmp_path / "captions.json")))
    (tmp_path / "lines.txt").write_text("a cat")
    with pytest.raises(InputError, match="has no columns"):
        load_prompts(PromptSpec(source="file", path=str(tmp_path / "lines.txt"), column="prompt"))


def _coco(path: Path) -> Path:
    """Three images with two captions each, as COCO orders them: not at all."""
    notes = [
        {"image_id": image, "id": 10 * image + note, "caption": f"Image {image},\n told {note}. "}
        for note in (1, 0)
        for image in (7, 3, 5)
    ]
    path.write_text(json.dumps({"images": [], "annotations": notes}))
    return path


def test_coco_gives_one_caption_an_image_by_the_seed(tmp_path: Path) -> None:
    path = str(_coco(tmp_path / "captions_val2014.json"))
    prompts = load_prompts(PromptSpec(source="coco", path=path))
    assert [prompt.id.split("-")[:2] for prompt in prompts] == [["coco", "3"], ["coco", "5"], ["coco", "7"]]
    for prompt in prompts:
        _, image, caption = prompt.id.split("-")
        assert prompt.text == f"Image {image}, told {int(caption) % 10}."
    drawn = {seed: load_prompts(PromptSpec(source="coco", path=path, seed=seed, count=2)) for seed in range(12)}
    assert load_prompts(PromptSpec(source="coco", path=path, seed=3, count=2)) == drawn[3]
    assert len({tuple(prompt.id for prompt in two) for two in drawn.values()}) > 3
    assert set(drawn[0]) <= set(prompts)
    (tmp_path / "other.json").write_text('{"annotations": [{"bbox": []}]}')
    with pytest.raises(InputError, match="not a file of COCO captions"):
        load_prompts(PromptSpec(source="coco", path=str(tmp_path / "other.json")))


def test_partiprompts_keep_category_and_challenge(tmp_path: Path) -> None:
    path = tmp_path / "PartiPrompts.tsv"
    rows = ["Prompt\tCategory\tChallenge\tNote", 'a "bond"\tAbstract\tBasic\tshort', "a cat\tAnimals\tQuantity\t"]
    path.write_text("\n".join(rows))
    first, second = load_prompts(PromptSpec(source="parti", path=str(path)))
    assert (first.text, first.category, first.challenge) == ('a "bond"', "Abstract", "Basic")
    assert (second.category, second.challenge) == ("Animals", "Quantity")
    (tmp_path / "other.tsv").write_text("text\na cat\n")
    with pytest.raises(InputError, match="'Prompt': no such column"):
        load_prompts(PromptSpec(source="parti", path=str(tmp_path / "other.tsv")))


def test_our_own_list_is_of_six_categories() -> None:
    prompts = load_prompts(PromptSpec(source="natural"))
    assert len(prompts) == len({prompt.text for prompt in prompts}) == 210
    assert len({prompt.category for prompt in load_prompts(PromptSpec(source="natural", count=6))}) == 6
    assert all(prompt.category for prompt in prompts)


def test_a_data_set_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own folders, in place of a download."""
    asked = {}

    def snapshot(name: str, **options: object) -> str:
        asked[name] = options
        return str(tmp_path)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    (tmp_path / "default/test").mkdir(parents=True)
    _write(pl.DataFrame(ROWS), tmp_path / "default/test/0000.parquet")
    prompts = load_prompts(PromptSpec(source="hub", dataset="me/mine:default/test", category_column="kind"))
    assert [prompt.text for prompt in prompts] == ["a cat", "a dog", "two owls, one bat"]
    assert asked["me/mine"]["allow_patterns"] == "default/test/*.parquet"
    with pytest.raises(InputError, match="has no default/train"):
        load_prompts(PromptSpec(source="hub", dataset="me/mine"))


def test_a_data_set_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    for name in ("no/such-data-set", "not an id"):
        with pytest.raises(InputError, match="download failed"):
            load_prompts(PromptSpec(source="hub", dataset=name))


def test_ids_categories_and_challenges_reach_the_run() -> None:
    """The plan carries them, and another id is another run: noise is drawn by it."""
    experiment = small()
    mine = Prompt("coco-3-30", "a cat", "Animals", "Basic")
    (shard, *_) = plan_shards(experiment, [mine], "small-0123abcd", Size(64, 64), 4)
    assert {(sample.prompt.id, sample.prompt.challenge) for sample in shard.samples} == {("coco-3-30", "Basic")}
    assert run_id(experiment, [mine], "r", "s") != run_id(experiment, [Prompt("other", "a cat")], "r", "s")
    assert {"prompt_id", "prompt_category", "prompt_challenge"} <= set(SAMPLES.schema.names)


def test_the_prompts_of_attributes_are_those_that_the_scorer_knows() -> None:
    found = load_prompts(PromptSpec(source="attributes"))
    assert len(found) >= 60
    assert {prompt.text for prompt in found} == {row.prompt for row in open_attributes()}
    assert all((prompt.category or "").replace(" ", "_") in attributes_of(prompt.text) for prompt in found)
