"""Prompt and seed in the text chunks of a PNG, as AUTOMATIC1111, ComfyUI and InvokeAI write them, or by plain keys."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_SAMPLER_LINKS = ("positive", "guider", "conditioning")
_SEEDS = ("seed", "noise_seed")


def labels_of_png(text: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Find prompt and seed.

    Args:
        text: The text chunks, by key.

    Returns:
        Prompt and seed; None for what is not there, or is ambiguous because a graph has several.
    """
    if "parameters" in text:
        return _of_parameters(text["parameters"])
    if fields := _json(text.get("invokeai_metadata")):
        return _text(fields.get("positive_prompt")), _text(fields.get("seed"))
    if graph := _json(text.get("prompt")):
        return _of_graph({name: node for name, node in graph.items() if isinstance(node, dict)})
    named = {key.lower(): value for key, value in text.items()}
    return named.get("prompt"), named.get("seed")


def _of_parameters(parameters: str) -> tuple[str | None, str | None]:
    """AUTOMATIC1111: the prompt, then `Negative prompt: ...`, then a line `Steps: ..., Seed: ...`."""
    prompt = re.split(r"(?:^|\n)(?:Negative prompt|Steps): ", parameters, maxsplit=1)[0]
    seed = re.search(r"(?:^|, |\n)Seed: (\d+)", parameters)
    return prompt.strip() or None, seed[1] if seed else None


def _of_graph(graph: dict[str, dict[str, Any]]) -> tuple[str | None, str | None]:
    """Read ComfyUI's graph of nodes by id. Samplers link to their prompt, and contain their seed or link to it."""
    prompts, seeds = set[str](), set[str]()
    for node in graph.values():
        inputs = _inputs(node)
        if any(name in inputs for name in _SAMPLER_LINKS[:2]):
            prompts |= {text for name in _SAMPLER_LINKS for text in _texts(graph, inputs.get(name), set())}
            sources = [inputs, *(_inputs(graph.get(_target(inputs.get(name)), {})) for name in (*_SEEDS, "noise"))]
            numbers = (one.get(name) for one in sources for name in (*_SEEDS, "value"))
            seeds |= {str(number) for number in numbers if isinstance(number, int) and not isinstance(number, bool)}
    return _only(prompts), _only(seeds)


def _texts(graph: dict[str, dict[str, Any]], link: Any, seen: set[str]) -> Iterator[str]:
    """Find the prompts at the end of a link. Negative prompts have separate links, which are not followed."""
    target = _target(link)
    if target in seen or target not in graph:
        return
    seen.add(target)
    for name, value in _inputs(graph[target]).items():
        if isinstance(value, str) and name in ("text", "string", "value", "t5xxl", "clip_l") and value.strip():
            yield value.strip()
        elif name != "negative":
            yield from _texts(graph, value, seen)


def _inputs(node: dict[str, Any]) -> dict[str, Any]:
    inputs = node.get("inputs")
    return inputs if isinstance(inputs, dict) else {}


def _target(link: Any) -> str:
    """The node that a link `[id, output]` names; empty for anything else."""
    return str(link[0]) if isinstance(link, list) and len(link) == 2 else ""


def _only(values: set[str]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None


def _text(value: Any) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _json(content: str | None) -> dict[str, Any]:
    try:
        found = json.loads(content or "")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
