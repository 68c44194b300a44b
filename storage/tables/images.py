"""The table `images`: encoded images, in the form that `datasets.load_dataset("parquet", ...)` shows."""

import json

import pyarrow as pa

from skewbench.storage.columns import IDS
from skewbench.storage.keys import GENERATION
from skewbench.storage.table import Table

_IMAGE = pa.field("image", pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())]))
_FEATURES = {field.name: {"dtype": str(field.type), "_type": "Value"} for field in IDS} | {"image": {"_type": "Image"}}

IMAGES = Table(
    name="images",
    row="a sample's image as PNG",
    written_by=GENERATION,
    order=("cell", "prompt_id", "seed"),
    row_group=100,  # images are large, and a reader fetches few
    dictionary=False,  # each is different
    metadata={b"huggingface": json.dumps({"info": {"features": _FEATURES}}).encode()},
    schema=pa.schema([*IDS, _IMAGE]),
)
