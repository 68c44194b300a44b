"""Which receipts count, where a shard was generated more than once.

A shard that is generated again gets a receipt of its own, numbered by `retry`, beside the one that it may replace: the
earlier attempt stays whole until the manifest names the later one. Pure functions of receipts.
"""

from collections.abc import Iterable, Mapping

from skewbench.storage.parts import GENERATION, Receipt


def current(receipts: Mapping[str, Receipt]) -> dict[str, Receipt]:
    """Select the receipts that count.

    Of several attempts at a shard the one with the most usable samples counts, and among equals the latest: trying
    again never makes a run worse. Scores count only if they were made from the attempts that count.

    Args:
        receipts: All receipts of a run, by key.

    Returns:
        Those that count, by key.
    """
    made: dict[str, Receipt] = {}
    for receipt in (one for one in receipts.values() if one.kind == GENERATION):
        held = made.setdefault(receipt.shard, receipt)
        made[receipt.shard] = max(held, receipt, key=lambda one: (one.counts.get("ok", 0), one.retry))

    def counts(receipt: Receipt) -> bool:
        if receipt.kind == GENERATION:
            return made[receipt.shard] is receipt
        return receipt.retry == _retry_of(receipt, made)

    return {key: receipt for key, receipt in receipts.items() if counts(receipt)}


def _retry_of(score: Receipt, made: Mapping[str, Receipt]) -> int:
    if score.shard in made:
        return made[score.shard].retry
    if score.shard == cell_unit(score.cell):
        return retry_of_cell(score.cell, made.values())
    return score.retry  # of a shard that is to be generated first; nothing is known of it


def cell_unit(cell: str) -> str:
    """Name of a whole cell in place of a shard, where a scorer scores the cell as a set."""
    return f"cell.{cell}"


def retry_of_cell(cell: str, made: Iterable[Receipt]) -> int:
    """Number of times that shards of a cell were generated again. It grows whenever one of them is replaced."""
    return sum(receipt.retry for receipt in made if receipt.cell == cell)
