"""The table `ratings`: votes of people who compared two cells without knowing which was which."""

import pyarrow as pa

from skewbench.storage.keys import RATINGS as RATING
from skewbench.storage.table import Table

RATINGS = Table(
    name="ratings",
    row="a vote of a person between two cells, or its withdrawal ([rating.md](rating.md))",
    written_by=RATING,
    order=("question", "rater", "time"),
    since=11,
    words={"question": ("quality", "diversity")},
    schema=pa.schema(
        [
            pa.field("rater", pa.string(), nullable=False),
            pa.field("time", pa.string(), nullable=False),  # UTC, ISO 8601
            pa.field("question", pa.string(), nullable=False),
            # what was compared
            pa.field("prompt_id", pa.string(), nullable=False),
            pa.field("pair_id", pa.string()),  # NULL: sets of a prompt's samples were compared
            pa.field("left_cell", pa.string(), nullable=False),
            pa.field("right_cell", pa.string(), nullable=False),
            pa.field("left_samples", pa.list_(pa.string())),  # ids, in the order shown
            pa.field("right_samples", pa.list_(pa.string())),
            # the vote
            pa.field("choice", pa.string()),  # the chosen cell; NULL: a tie, or withdrawn
            pa.field("withdrawn", pa.bool_(), nullable=False),  # the rater took the earlier votes back
            pa.field("revision", pa.int32(), nullable=False),  # of the rater's on the comparison; the highest counts
            # how it was shuffled, so that a session can be checked
            pa.field("shuffle_seed", pa.int64(), nullable=False),
            pa.field("position", pa.int32(), nullable=False),  # in the order of the session, from 1
        ]
    ),
)
