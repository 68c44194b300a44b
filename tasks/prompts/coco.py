"""COCO's captions (`captions_val2014.json`): one caption an image, the ids of both kept."""

import json
from pathlib import Path

import numpy as np

from skewbench.tasks.prompts.prompt import Prompt
from skewbench.tasks.prompts.tables import read_text
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.texts import is_unicode


def coco_captions(path: Path, count: int | None, seed: int) -> list[Prompt]:
    """Read the captions of random images, in the order of image ids. A prompt's id is `coco-<image id>-<caption id>`.

    Args:
        path: File of COCO annotations.
        count: Number of images; None: all.
        seed: Selects the images, and one caption of each. The caption does not depend on `count`.

    Raises:
        InputError: The file cannot be read as COCO captions.
    """
    try:
        captions: dict[int, list[tuple[int, str]]] = {}
        for note in json.loads(read_text(path))["annotations"]:
            captions.setdefault(int(note["image_id"]), []).append((int(note["id"]), " ".join(note["caption"].split())))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"prompts.path {str(path)!r}: not a file of COCO captions ({type(error).__name__}: {error}); "
            "use captions_val2014.json of the 2014 annotations"
        ) from None
    for image, notes in captions.items():
        for note, text in notes:
            if not is_unicode(text):
                raise InputError(
                    f"prompts.path {str(path)!r}: caption {note} of image {image} has half of a surrogate pair, which "
                    f"is no text: {text[:80]!a}"
                )
    rng = np.random.default_rng(seed)
    prompts = {}
    for image in sorted(captions):
        choices = sorted(captions[image])
        caption, text = choices[rng.integers(len(choices))]
        if text:
            prompts[image] = Prompt(f"coco-{image}-{caption}", text)
    if count is None or count >= len(prompts):
        return list(prompts.values())
    return [prompts[image] for image in sorted(rng.choice(list(prompts), count, replace=False).tolist())]
