"""The table `stability`: the measures of each attention block."""

import pyarrow as pa

from skewbench.storage.columns import IDS, MEASURE_FIELDS
from skewbench.storage.keys import GENERATION
from skewbench.storage.table import Table
from skewbench.vocabulary.measures import MEASURES

STABILITY = Table(
    name="stability",
    row="a sample, attention block and branch of guidance: the measures",
    written_by=GENERATION,
    order=("cell", "prompt_id", "seed", "block", "branch"),
    added={
        f"{measure.name}{series}": measure.since
        for measure in MEASURES
        if measure.since > 1
        for series in ("", "_steps", "_heads")
    },
    schema=pa.schema(
        [
            *IDS,
            pa.field("block", pa.int16(), nullable=False),  # the paper's number
            pa.field("block_name", pa.string(), nullable=False),
            pa.field("stage", pa.string(), nullable=False),  # of skewbench.vocabulary.stages
            pa.field("branch", pa.string(), nullable=False),  # uncond, cond, perturbed or weak
            *MEASURE_FIELDS,
        ]
    ),
)
