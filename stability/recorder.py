"""Keeps a batch's measures on the device until they are read."""

from collections.abc import Iterable, Mapping
from dataclasses import field
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import ConfigDict, Field, Strict
from pydantic.dataclasses import dataclass
from torch import Tensor

from skewbench.stability.blocks import Block
from skewbench.stability.entries import Entry, on_host
from skewbench.stability.knobs.fields import Allowed, checked
from skewbench.vocabulary.measures import CONTROLS, NAMES, RETRIEVAL_MEASURES

if TYPE_CHECKING:
    import pyarrow as pa

Detail = Literal["mean", "steps", "heads"]
Measure = Literal[NAMES]  # type: ignore[valid-type]
Count = Annotated[int, Strict(), Field(ge=1)]


@dataclass(eq=False, config=ConfigDict(extra="forbid", arbitrary_types_allowed=True))
class Recorder:
    """Records all self-attentions of a model while `perturb` is given it; reusable, one batch at a time.

    Args:
        measures: Which of energy, instability, alignment, symmetry, symmetry_raw and text_mass; others are NULL.
        every: Record every n-th step. Without a loop, each model call is a step.
        detail: `mean` keeps means over steps and heads, `steps` also each step's mean, `heads` also each head's.
        columns: Number of feature columns that are measured. They depend only on (seed, block), so that two runs
            can be compared column by column.
        seed: Seed of the random columns.

    Raises:
        ValueError: A value that is not allowed.
    """

    measures: Annotated[tuple[Measure, ...], Field(min_length=1), Allowed(f"some of {', '.join(NAMES)}")] = NAMES
    every: Count = 1
    detail: Detail = "steps"
    columns: Annotated[Literal["all"] | Count, Allowed('"all" or an integer >= 1')] = "all"
    seed: int = 0
    _entries: dict[tuple[int, int, tuple[str, ...]], Entry] = field(default_factory=dict, init=False, repr=False)
    _columns: dict[int, slice | Tensor] = field(default_factory=dict, init=False, repr=False)

    def start(self, blocks: Iterable[tuple[Block, torch.device]]) -> None:
        """Discard the last batch, and choose the feature columns of the next one.

        Args:
            blocks: The measured blocks, each with the device of its columns.
        """
        self._entries.clear()
        self._columns = {block.number: self._drawn(block, device) for block, device in blocks}

    def wants(self, step: int) -> bool:
        """Return whether a step is recorded.

        Args:
            step: The step's number, from 0.
        """
        return step % self.every == 0

    def columns_of(self, block: Block, device: torch.device) -> slice | Tensor | None:
        """Return the feature columns on which a block's stability is measured.

        Args:
            block: The block.
            device: The device that uses the columns. A model may move while it is offloaded.

        Returns:
            Columns as a slice or their indices; None if no measure of the retrieval is recorded.
        """
        if not set(self.measures) & set(RETRIEVAL_MEASURES):
            # text_mass needs a retrieval, but one column is enough
            return slice(0, 1) if "text_mass" in self.measures else None
        columns = self._columns[block.number]
        if isinstance(columns, Tensor) and columns.device != device:  # the model has moved since (offloading)
            columns = self._columns[block.number] = columns.to(device)
        return columns

    def write(
        self,
        block: Block,
        step: int,
        branches: tuple[str, ...],
        values: Mapping[str, Float[Tensor, "B H"]],
        controls: Mapping[str, Float[Tensor, "B"]],
    ) -> None:
        """Keep, on its device, what one block measured in one call. Other measures than the recorder's are dropped.

        Args:
            block: The block.
            step: The loop's, from 0.
            branches: Of the rows: samples x branches, branch by branch.
            values: Measures.
            controls: What the knob did to each row.

        Raises:
            ValueError: The samples change in mid-batch, or there is no column for a control.
        """
        if unknown := sorted(set(controls) - set(CONTROLS)):
            raise ValueError(f"control {unknown[0]!r}: a recorder records {', '.join(CONTROLS)}")
        wanted = {name: value for name, value in values.items() if name in self.measures}
        kept = {name: value.detach().to(torch.float32) for name, value in {**wanted, **controls}.items()}
        entry = Entry(block, step, branches, kept)
        first = next(iter(self._entries.values()), entry)
        if entry.samples != first.samples:
            raise ValueError(f"{entry.samples} samples after {first.samples}: a recorder records one batch")
        self._entries[block.number, step, branches] = entry

    @property
    def count(self) -> int:
        """Number of entries: one for each block and call."""
        return len(self._entries)

    def entries_from(self, first: int) -> tuple[Entry, ...]:
        """Return the entries from a number on, in the order of the calls.

        Args:
            first: Number of the first one, from 0.
        """
        return tuple(islice(self._entries.values(), first, None))

    def add(self, entries: Iterable[Entry]) -> None:
        """Keep entries that another recorder of the same samples and blocks kept.

        Args:
            entries: Entries of whole calls.
        """
        self._entries |= {(entry.block.number, entry.step, entry.branches): entry for entry in entries}

    def to_arrow(self) -> "pa.Table":
        """Return one row per sample, block and branch (see `stability.table.SCHEMA`). Copies from the device once.

        Raises:
            ValueError: Nothing was recorded.
        """
        from skewbench.stability.table import table  # needs pyarrow, which nothing else here does

        return table(self._recorded(), self.detail)

    def to_numpy(self) -> list[dict[str, Any]]:
        """Return what each block measured in each call, without pyarrow. Copies from the device once.

        Returns:
            A dictionary for each block and call, in the order of the calls: `block` (its number), `step`, `branches`
            (of the rows: branches x samples), each measure (rows, heads) and each control (rows,).

        Raises:
            ValueError: Nothing was recorded.
        """
        entries = self._recorded()
        return [
            {"block": entry.block.number, "step": entry.step, "branches": entry.branches, **values}
            for entry, values in zip(entries, on_host(entries), strict=True)
        ]

    def _recorded(self) -> list[Entry]:
        if not self._entries:
            raise ValueError("nothing was recorded: the model was not called within perturb(model, knob, recorder)")
        return list(self._entries.values())

    def _drawn(self, block: Block, device: torch.device) -> slice | Tensor:
        if self.columns == "all" or self.columns >= block.width:
            return slice(None)
        generator = torch.Generator().manual_seed((self.seed << 16) + block.number)
        columns = torch.randperm(block.width, generator=generator)[: self.columns].sort().values
        return columns if device.type == "meta" else columns.to(device)  # weights under offload are on meta


checked(Recorder)
