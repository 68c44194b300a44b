"""Prompts of a Hugging Face data set, from the Parquet files that the hub makes of each."""

from skewbench.tasks.prompts.prompt import Prompt
from skewbench.tasks.prompts.tables import columns_of, from_table
from skewbench.vocabulary.errors import InputError

_REVISION = "refs/convert/parquet"


def hub_prompts(dataset: str, column: str | None, category: str | None) -> list[Prompt]:
    """A column of a data set, `owner/name[:subset[/split]]`; without more, `default/train`. Raises `InputError`."""
    import polars as pl
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name, _, part = dataset.partition(":")
    subset, _, split = part.partition("/")
    subset, split = subset or "default", split or "train"
    where = f"data set {name!r}, {subset}/{split}"
    pattern = f"{subset}/{split}/*.parquet"
    try:
        folder = snapshot_download(name, repo_type="dataset", revision=_REVISION, allow_patterns=pattern)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"prompts.dataset {dataset!r}: download failed ({type(error).__name__}: {reason})") from None
    try:
        table = pl.read_parquet(f"{folder}/{pattern}")
    except (pl.exceptions.PolarsError, OSError):
        raise InputError(f"prompts.dataset {dataset!r}: has no {subset}/{split}") from None
    return from_table(columns_of(table), where, column, category)
