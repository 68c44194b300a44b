"""Prompts of the package's list of open attributes."""

from skewbench.eval.attributes.prompts import open_attributes
from skewbench.tasks.experiment import PromptSpec
from skewbench.tasks.prompts.prompt import Prompt, prompt


def attribute_prompts(_: PromptSpec) -> list[Prompt]:
    """List the prompts that leave an attribute open, each once; the category is its first attribute."""
    first: dict[str, str] = {}
    for row in open_attributes():
        first.setdefault(row.prompt, row.attribute.replace("_", " "))
    return [prompt(text, attribute) for text, attribute in first.items()]
