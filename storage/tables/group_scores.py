"""The table `group_scores`: metrics of sets of images."""

import pyarrow as pa

from skewbench.storage.columns import SCORE_FIELDS
from skewbench.storage.keys import SCORES as SCORING
from skewbench.storage.table import Table

GROUP_SCORES = Table(
    name="group_scores",
    row="a metric of a prompt's images or of a cell: the value, or the reason for a missing value",
    written_by=SCORING,
    derived_from=("samples", "images", "audio", "video"),
    order=("cell", "prompt_id", "metric"),
    added={"package": 10},
    schema=pa.schema(
        [
            pa.field("cell", pa.string(), nullable=False),
            pa.field("prompt_id", pa.string()),  # NULL: the set is the whole cell
            pa.field("set", pa.string(), nullable=False),  # the set's definition, in words
            pa.field("n", pa.int32(), nullable=False),
            *SCORE_FIELDS,
        ]
    ),
)
