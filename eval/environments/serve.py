"""Answers the calls of a parent process with the scorers of one environment."""

import os
import queue
import threading
from typing import IO, Any

from skewbench.eval.environments import frames
from skewbench.eval.scoring.instances import Scorers

READY = "ready"
"""The first answer: skewbench is imported."""


def serve(requests: IO[bytes], answers: IO[bytes], environment: str, device: str) -> None:
    """Answer calls one after the other. The process ends when the parent closes the stream or dies.

    Args:
        requests: Messages (scorer, method, arguments).
        answers: One message per call: `{"value": ...}`, or `{"error": ...}` with one line.
        environment: Name of the environment, whose scorers are made in this process.
        device: Where scorers of tensors compute.
    """
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def read() -> None:
        try:
            while True:
                calls.put(frames.read(requests))
        except EOFError:
            os._exit(0)  # at once, also in the middle of a batch: nobody waits for its scores

    threading.Thread(target=read, name="requests", daemon=True).start()
    scorers = Scorers(device, environment)
    frames.write(answers, READY)
    while True:
        scorer, method, arguments = calls.get()
        try:
            answer = {"value": getattr(scorers.get(scorer), method)(*arguments)}
            frames.write(answers, answer)
        except Exception as error:
            frames.write(answers, {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"[:1000]})
