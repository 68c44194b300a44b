"""Shell completion of the names of experiments, runs and queries."""

import typer


def experiments(incomplete: str) -> list[str]:
    """Complete the name of a bundled experiment.

    Args:
        incomplete: The text typed so far.
    """
    from skewbench.flows.experiments import bundled

    return [name for name in bundled() if name.startswith(incomplete)]


def runs(context: typer.Context, incomplete: str) -> list[str]:
    """Complete the id of a run in the lake that `--lake`, SKEWBENCH_LAKE or the default names.

    Args:
        context: Of the command that is typed.
        incomplete: The text typed so far.
    """
    from skewbench.storage.scan import manifest_paths
    from skewbench.storage.store import open_store
    from skewbench.vocabulary.errors import InputError

    try:
        store = open_store(context.params.get("lake") or "lake")
        return sorted(run_id for run_id in manifest_paths(store) if run_id.startswith(incomplete))
    except (InputError, OSError):  # a shell has no use for an error message
        return []


def queries(incomplete: str) -> list[str]:
    """Complete the name of a query.

    Args:
        incomplete: The text typed so far.
    """
    from skewbench import sql

    return [query.name for query in sql.named_queries() if query.name.startswith(incomplete)]
