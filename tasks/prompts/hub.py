"""Prompts of a Hugging Face data set, from the Parquet files that the hub makes of each."""

from pathlib import Path

from skewbench.tasks.prompts.prompt import Prompt
from skewbench.tasks.prompts.tables import columns_of, from_table
from skewbench.vocabulary.errors import InputError

_REVISION = "refs/convert/parquet"


def hub_prompts(dataset: str, column: str | None, category: str | None) -> list[Prompt]:
    """Read the prompts of a column of a data set.

    Args:
        dataset: `owner/name[:subset[/split]]`; without more, `default/train`.
        column: Column of the prompts; None: the first one with a usual name.
        category: Column of the categories; None: there are none.

    Raises:
        InputError: The data set cannot be downloaded, or has no such subset, split or column.
    """
    import polars as pl

    files = hub_files(dataset, "prompts.dataset")
    return from_table(columns_of(pl.read_parquet(files, glob=False)), f"data set {dataset!r}", column, category)


def hub_files(dataset: str, named: str) -> list[Path]:
    """Download the Parquet files of a data set, or find them in the hub's cache.

    Args:
        dataset: `owner/name[:subset[/split]]`; without more, `default/train`.
        named: What an error message names as the place of the data set, such as `prompts.dataset`.

    Raises:
        InputError: No such data set, subset or split, or no connection.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name, _, part = dataset.partition(":")
    subset, _, split = part.partition("/")
    subset, split = subset or "default", split or "train"
    pattern = f"{subset}/{split}/*.parquet"
    try:
        folder = snapshot_download(name, repo_type="dataset", revision=_REVISION, allow_patterns=pattern)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{named} {dataset!r}: download failed ({type(error).__name__}: {reason})") from None
    if not (files := sorted(Path(folder).glob(pattern))):
        raise InputError(f"{named} {dataset!r}: has no {subset}/{split}")
    return files
