"""Names of the deployments, by flow. The Prefect UI lists deployments by these names, so each says what the flow
does."""

NAMES = {
    "benchmark": "run-experiment",
    "generate": "generate-images-only",
    "score": "score-run",
    "analyse": "recompute-intervals",
    "report": "write-report",
    "compact": "compact-run",
    "nightly": "regression-benchmark",
    "tune": "choose-setting",
    "import": "import-images",
}


def full_name(flow: str) -> str:
    """Return the name by which Prefect finds a deployment, such as `benchmark/run-experiment`.

    Args:
        flow: Name of the flow.
    """
    return f"{flow}/{NAMES[flow]}"
