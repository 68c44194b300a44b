"""The media that models generate, one file each: how samples are checked, stored, read and shown."""

from typing import cast

from skewbench.storage.records import Manifest, shown
from skewbench.tasks.media.audio import Audio
from skewbench.tasks.media.contract import MediaType
from skewbench.tasks.media.image import Images
from skewbench.tasks.media.video import Video
from skewbench.vocabulary.errors import InputError
from skewbench.vocabulary.metrics import Medium

MEDIA: dict[Medium, MediaType] = {"image": Images(), "audio": Audio(), "video": Video()}
"""All media, by the name that families and scorers declare."""

__all__ = ["MEDIA", "MediaType", "medium_of"]


def medium_of(manifest: Manifest) -> Medium:
    """Return the medium of a run. Runs of schema 7 and before generated images.

    Args:
        manifest: The run's manifest.

    Raises:
        InputError: The medium is unknown.
    """
    found = manifest.identity.get("medium", "image")
    if found not in MEDIA:
        raise InputError(f"run {manifest.run_id} generated {shown(str(found))}; one of {', '.join(MEDIA)} is known")
    return cast(Medium, found)
