"""How fast is generation, and how much memory does it take?"""

from skewbench.sql.columns import CELL, RUN_ID
from skewbench.sql.declaration import Column, Query

QUERY = Query(
    package=__name__,
    name="speed",
    source="This project.",
    columns=(
        RUN_ID,
        CELL,
        Column("device", "VARCHAR", "the device"),
        Column("dtype", "VARCHAR", "the model's dtype"),
        Column("width", "INTEGER", "of the image or frame, in pixels; NULL for audio"),
        Column("height", "INTEGER", "of the image or frame, in pixels; NULL for audio"),
        Column("steps", "INTEGER", "denoising steps"),
        Column("seconds", "DOUBLE", "mean seconds per image, for all model calls: a batch's time divided by its size"),
        Column("median_seconds", "DOUBLE", "median seconds per image"),
        Column("min_seconds", "DOUBLE", "seconds per image of the fastest batch, which other programs disturbed least"),
        Column("images_per_minute", "DOUBLE", "images per minute: 60 / seconds"),
        Column("slowdown", "DOUBLE", "seconds relative to the baseline on the same device; NULL without one"),
        Column("shared_calls", "DOUBLE", "mean share of the model's calls that another cell had computed already"),
        Column("peak_memory", "BIGINT", "largest memory on the device, in bytes; NULL on a CPU"),
        Column("n", "BIGINT", "samples"),
    ),
)
