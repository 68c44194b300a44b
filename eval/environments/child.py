"""Runs in the interpreter of an environment: `bin/python -I child.py SETTINGS`. Started by `process.py`.

The environment's own packages come first. What its parent has is added behind them, and only then is skewbench
imported. What libraries print goes to standard error, since standard output holds the answers.
"""

import json
import os
import signal
import site
import sys


def main() -> None:
    """Set up the path, then answer until standard input is closed."""
    given = json.loads(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then closes standard input
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for path in given["shared"]:
        if path in given["sites"]:
            site.addsitedir(path)
        elif path not in sys.path:
            sys.path.append(path)
    from skewbench.eval.environments.serve import serve

    serve(sys.stdin.buffer, answers, given["environment"], given["device"])


if __name__ == "__main__":
    main()
