"""A pool of long-lived Ray actors: connecting to a cluster, and driving jobs through workers on it."""

from skewbench.tasks.pool.cluster import connect_ray, ray_connected, ray_starting
from skewbench.tasks.pool.pool import WorkerPool

__all__ = ["WorkerPool", "connect_ray", "ray_connected", "ray_starting"]
