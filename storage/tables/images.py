"""The table `images`: encoded images, in the form that `datasets.load_dataset("parquet", ...)` shows."""

import pyarrow as pa

from skewbench.storage.columns import FILE, IDS, shown_by_datasets
from skewbench.storage.keys import GENERATION
from skewbench.storage.table import Table

_SCHEMA = pa.schema([*IDS, pa.field("image", FILE)])

IMAGES = Table(
    name="images",
    row="a sample's image as PNG",
    written_by=GENERATION,
    order=("cell", "prompt_id", "seed"),
    row_group=100,  # images are large, and a reader fetches few
    dictionary=False,  # each is different
    metadata=shown_by_datasets(_SCHEMA, image="Image"),
    schema=_SCHEMA,
)
