"""How fast it is: one command a table, both sides of each comparison in one run.

    python -m tests.bench                 # all tables of this machine, as `make bench`
    python -m tests.bench.layer           # one self-attention under each state
    python -m tests.bench.model           # whole models: seconds and peak memory an image
    python -m tests.bench.peer --released PATH   # the paper's released code, from a checkout of yours
    python -m tests.bench.gpu             # everything that needs a GPU, in under eight minutes
    python -m tests.bench.lake            # what writing costs
    python -m tests.bench.queries         # what asking costs

Each prints a table in Markdown, and writes it with its raw numbers as JSON into `--out`. Nothing here asserts a time.
"""
