"""The table `video`: videos with a strip of their frames, in the form that `datasets.load_dataset` plays and shows."""

import pyarrow as pa

from skewbench.storage.columns import FILE, IDS, shown_by_datasets
from skewbench.storage.keys import GENERATION
from skewbench.storage.table import Table

_SCHEMA = pa.schema(
    [
        *IDS,
        pa.field("video", FILE),
        pa.field("frames", pa.int32(), nullable=False),
        pa.field("fps", pa.float64(), nullable=False),
        pa.field("strip", FILE),  # a preview; no metric is computed from it
    ]
)

VIDEO = Table(
    name="video",
    row="a sample's frames as animated PNG (no loss), and a strip of a few of them as PNG",
    written_by=GENERATION,
    order=("cell", "prompt_id", "seed"),
    since=8,
    row_group=8,  # videos are larger than images
    dictionary=False,  # each is different
    metadata=shown_by_datasets(_SCHEMA, video="Video", strip="Image"),
    schema=_SCHEMA,
)
