"""A Prefect server of one's own, and the flows that it offers."""
