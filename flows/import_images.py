"""The flow `import`: imports images that were made elsewhere as a run of the lake."""

from prefect import flow
from prefect.logging import get_run_logger

from skewbench.flows.stopping import cancel_if_interrupted
from skewbench.storage.store import open_store
from skewbench.tasks.imports.gather import describe, gather
from skewbench.tasks.imports.spec import ImportSpec
from skewbench.tasks.imports.write import is_imported, write_import

NOTHING = ImportSpec()


@flow(name="import", on_crashed=[cancel_if_interrupted])
def import_images(images: ImportSpec = NOTHING, lake: str = "lake") -> str:
    """Import images that were made elsewhere. Returns the run's id; `score` scores it.

    Args:
        images: The cells with their sources, as seen from the machine that runs the flow, and the labels of the images.
        lake: Folder or URL of the Parquet lake, as seen from the machine that runs the flow.

    Raises `InputError` if nothing can be imported.
    """
    store = open_store(lake)
    plan = gather(images)
    store.check_writable()
    for cell, files in plan.left_out.items():
        get_run_logger().warning("cell %s: not imported: %s", cell, describe(files))
    if not is_imported(store, plan):
        write_import(store, plan)
    return plan.run_id
