"""What can be turned: a file a knob. Imports neither torch nor diffusers.

To add one, write a file like `temperature.py` here, or in a package of your own, which names the module in its entry
points, group `skewbench.knobs`. What the file declares is all there is to do: experiments, the form, the lake, queries,
reports and the tests of all knobs read it from there.
"""

from skewbench.stability.knobs.base import (
    AttentionKnob,
    Knob,
    SearchRange,
    SetStrength,
    covers,
    declared,
    search_ranges,
)
from skewbench.stability.knobs.fields import WHOLE, Blocks, Flag, Number, Strength, Window
from skewbench.stability.knobs.registry import KNOBS, knob
from skewbench.stability.knobs.skew import Skew
from skewbench.stability.knobs.temperature import Temperature
from skewbench.stability.knobs.vanilla import Vanilla

__all__ = [
    "KNOBS",
    "WHOLE",
    "AttentionKnob",
    "Blocks",
    "Flag",
    "Knob",
    "Number",
    "SearchRange",
    "SetStrength",
    "Skew",
    "Strength",
    "Temperature",
    "Vanilla",
    "Window",
    "covers",
    "declared",
    "knob",
    "search_ranges",
]
