"""What the packages never do, read off their source: no unsafe reading, no shell, no open door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("flows", "tasks", "stability", "eval", "sql", "storage", "vocabulary")
FILES = sorted(path for name in ROOMS for path in (ROOT / name).rglob("*.py"))


def _calls(path: Path) -> Iterator[tuple[str, dict[str, ast.expr]]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {word.arg: word.value for word in node.keywords if word.arg}


def _is(value: ast.expr | None, constant: object) -> bool:
    return isinstance(value, ast.Constant) and value.value is constant


def _broken_rules(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import) and any(name.name.split(".")[0] in FORBIDDEN for name in node.names):
            yield f"imports {ast.unparse(node)}"
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN:
            yield from (f"imports {name.name}" for name in node.names if name.name != "UnpicklingError")
    for name, words in _calls(path):
        if name == "torch.load" and not _is(words.get("weights_only"), True):
            yield "torch.load without weights_only"
        if name.endswith("StableDiffusionXLPipeline.from_pretrained") and not _is(words.get("use_safetensors"), True):
            yield "a pipeline that would read pickles"
        unsafe = ("allow_pickle", "trust_remote_code")
        if any(word in words and not _is(words[word], False) for word in unsafe) or _is(words.get("shell"), True):
            yield f"{name} with an unsafe option"
        if name in ("eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "torch.hub.load"):
            yield name
    if "0.0.0.0" in text:
        yield "a server on all interfaces"


FORBIDDEN = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_source(path: Path) -> None:
    assert list(_broken_rules(path)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from pickle import loads",
        "import torch; torch.load('x')",
        "import torch; torch.load('x', weights_only=False)",
        "import yaml; yaml.load('x')",
        "import numpy; numpy.load('x', allow_pickle=True)",
        "import transformers; transformers.AutoModel.from_pretrained('x', trust_remote_code=remote)",
        "import subprocess; subprocess.run('x', shell=True)",
        "HOST = '0.0.0.0'",
    ],
)
def test_each_rule_finds_its_fault(tmp_path: Path, line: str) -> None:
    (tmp_path / "bad.py").write_text(line)
    assert list(_broken_rules(tmp_path / "bad.py"))


def test_a_manifest_is_replaced_in_one_place_alone() -> None:
    """All other code goes through `write_manifest`, which needs the manifest that it replaces."""
    writers = {"put", "put_new", "swap"}
    found = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in writers
        and node.args
        and any(word in ast.unparse(node.args[0]) for word in ("_runs", "manifest_path"))
    }
    assert found == set()
    text = (ROOT / "storage/manifest.py").read_text(encoding="utf-8")
    assert text.count("store.swap(") == 1
    assert text.count("store.put(") == 1  # of the plan
