"""The knobs, one file each. Imports neither torch nor diffusers.

To add one, write a file like `temperature.py` here, or in a package of your own, which names the module in its entry
points, group `skewbench.knobs`. No other change is needed: experiments, the form, the lake, queries,
reports and the tests of all knobs read the declaration from the file.
"""

from skewbench.stability.knobs.apg import Apg
from skewbench.stability.knobs.base import AttentionKnob, Knob, SetStrength, SteppedKnob, by_place, declared
from skewbench.stability.knobs.cads import Cads
from skewbench.stability.knobs.cfg_zero_star import CfgZeroStar
from skewbench.stability.knobs.condition import ConditionKnob
from skewbench.stability.knobs.fdg import Fdg
from skewbench.stability.knobs.fields import WHOLE, Blocks, Flag, Heads, Number, Schedule, Sketch, Strength, Window
from skewbench.stability.knobs.guidance import Guidance
from skewbench.stability.knobs.guidance_interval import GuidanceInterval
from skewbench.stability.knobs.guidance_rescale import GuidanceRescale
from skewbench.stability.knobs.mag import Mag
from skewbench.stability.knobs.pag import Pag
from skewbench.stability.knobs.pladis import Pladis
from skewbench.stability.knobs.ranges import SearchRange, search_ranges
from skewbench.stability.knobs.registry import KNOBS, knob
from skewbench.stability.knobs.rule import Rule
from skewbench.stability.knobs.schedule import covers
from skewbench.stability.knobs.seg import Seg
from skewbench.stability.knobs.skew import Skew
from skewbench.stability.knobs.skew_guided import SkewGuided
from skewbench.stability.knobs.tcfg import Tcfg
from skewbench.stability.knobs.temperature import Temperature
from skewbench.stability.knobs.vanilla import Vanilla

__all__ = [
    "KNOBS",
    "WHOLE",
    "Apg",
    "AttentionKnob",
    "Blocks",
    "Cads",
    "CfgZeroStar",
    "ConditionKnob",
    "Fdg",
    "Flag",
    "Guidance",
    "GuidanceInterval",
    "GuidanceRescale",
    "Heads",
    "Knob",
    "Mag",
    "Number",
    "Pag",
    "Pladis",
    "Rule",
    "Schedule",
    "SearchRange",
    "Seg",
    "SetStrength",
    "Sketch",
    "Skew",
    "SkewGuided",
    "SteppedKnob",
    "Strength",
    "Tcfg",
    "Temperature",
    "Vanilla",
    "Window",
    "by_place",
    "covers",
    "declared",
    "knob",
    "search_ranges",
]
