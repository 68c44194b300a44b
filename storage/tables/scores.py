"""The table `scores`: metrics of single images."""

import pyarrow as pa

from skewbench.storage.columns import IDS, SCORE_FIELDS
from skewbench.storage.keys import SCORES as SCORING
from skewbench.storage.table import Table

SCORES = Table(
    name="scores",
    row="a metric of a sample: the value, or the reason for a missing value",
    written_by=SCORING,
    derived_from=("samples", "images", "audio", "video"),
    order=("cell", "prompt_id", "seed", "metric"),
    added={"package": 10},
    schema=pa.schema([*IDS, *SCORE_FIELDS]),
)
