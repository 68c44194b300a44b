"""The words of a report, for who reads one for the first time."""

from skewbench.vocabulary.measures import MEASURES

WORDS = (
    ("cell", "one setting of the run: a knob with its strengths, and how images are generated"),
    ("knob", "a change to attention, to guidance or to the prompt's embedding; its strengths have symbols"),
    ("α, β", "strengths of the skew knob: α scales the skew-symmetric part of q k′, β weights the result in the blend"),
    ("baseline", "the cell with the model's own attention; changes are measured against it"),
    ("pair", "two cells' images of the same prompt and the same noise"),
    ("stage", "the part of the model that a block belongs to: down, mid or up; or early, middle or late"),
    (
        "unstable",
        "in the half of images, or prompts, with the lower alignment at the baseline; the others are stable",
    ),
    ("fidelity", "how good an image is, or how well it shows its prompt, by the metric that a figure names"),
    ("diversity", "how much the images of one prompt differ"),
)


def glossary() -> tuple[tuple[str, str], ...]:
    """Return words and their meanings: those of every report, and the stability measures."""
    measures = ((measure.symbol, measure.meaning) for measure in MEASURES if measure.answer)
    return (*WORDS, *measures)
