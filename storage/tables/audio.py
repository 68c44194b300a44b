"""The table `audio`: waveforms with their spectrograms, in the form that `datasets.load_dataset` plays and shows."""

import pyarrow as pa

from skewbench.storage.columns import FILE, IDS, shown_by_datasets
from skewbench.storage.keys import GENERATION
from skewbench.storage.table import Table

_SCHEMA = pa.schema(
    [
        *IDS,
        pa.field("audio", FILE),
        pa.field("sampling_rate", pa.int32(), nullable=False),  # Hz
        pa.field("spectrogram", FILE),  # a preview; no metric is computed from it
    ]
)

AUDIO = Table(
    name="audio",
    row="a sample's waveform as WAV (mono, 16 bit), and its spectrogram as PNG",
    written_by=GENERATION,
    order=("cell", "prompt_id", "seed"),
    since=8,
    row_group=100,
    dictionary=False,  # each is different
    metadata=shown_by_datasets(_SCHEMA, audio="Audio", spectrogram="Image"),
    schema=_SCHEMA,
)
