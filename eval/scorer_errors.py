"""Counts the errors of a scorer that reads attributes, on samples whose attributes and defects are known, as tables."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rich.table import Table


@dataclass
class Report:
    """Counts. `seen`: (attribute, true value, seen value); `named`: (defect, whether its word was reported)."""

    seen: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    named: Counter[tuple[str, bool]] = field(default_factory=Counter)
    instead: Counter[tuple[str, str]] = field(default_factory=Counter)
    false_alarms: Counter[str] = field(default_factory=Counter)
    samples: int = 0
    seconds: float = 0.0

    def add_defect(self, defect: str, word: str, words: Iterable[str]) -> None:
        """Count a sample with a defect.

        Args:
            defect: Its name.
            word: The word that names it.
            words: The words that the scorer reported.
        """
        words = set(words)
        self.named[defect, word in words] += 1
        if word not in words:
            self.instead[defect, ", ".join(sorted(words)) or "nothing"] += 1

    def accuracy(self, attribute: str | None = None) -> float:
        """Compute the share of correct values.

        Args:
            attribute: One attribute, or None for all.

        Returns:
            Share in 0..1; 0 without any value.
        """
        counts = {key: n for key, n in self.seen.items() if attribute in (None, key[0])}
        return sum(n for (_, true, seen), n in counts.items() if true == seen) / max(1, sum(counts.values()))

    def share_named(self, defect: str) -> float:
        """Compute the share of the samples with a defect in which it was reported.

        Args:
            defect: Its name.

        Returns:
            Share in 0..1; 0 if no sample has the defect.
        """
        return self.named[defect, True] / max(1, self.named[defect, True] + self.named[defect, False])

    def summary(self) -> str:
        """Return the totals as a line."""
        return (
            f"{self.samples} samples, {self.seconds / max(1, self.samples) * 1e3:.2f} ms each; "
            f"all attributes right: {self.accuracy():.4f}; "
            f"defects named in faithful samples: {dict(self.false_alarms) or 'none'}"
        )


def attribute_table(report: Report) -> Table:
    """Tabulate the accuracy per attribute and the most frequent confusions.

    Args:
        report: The counts.

    Returns:
        One row per attribute, with up to 6 confusions, the most frequent first.
    """
    table = Table("attribute", "n", "right", "true as seen: times", title="attributes seen")
    for attribute in dict.fromkeys(key[0] for key in report.seen):
        of_it = [(key, n) for key, n in report.seen.items() if key[0] == attribute]
        wrong = sorted(((n, true, seen) for (_, true, seen), n in of_it if true != seen), reverse=True)
        confusions = "; ".join(f"{true} as {seen}: {n}" for n, true, seen in wrong[:6])
        table.add_row(attribute, str(sum(n for _, n in of_it)), f"{report.accuracy(attribute):.4f}", confusions)
    return table


def defect_table(report: Report, words: Mapping[str, str]) -> Table:
    """Tabulate the detection rate of each defect, and the defects detected instead.

    Args:
        report: The counts.
        words: The word that names each defect.

    Returns:
        One row per defect; `share` is empty if no sample could have it.
    """
    table = Table("defect", "detected", "n", "share", "detected instead: times", title="detected defects")
    for name, word in words.items():
        n = report.named[name, True] + report.named[name, False]
        instead = "; ".join(f"{other}: {k}" for (which, other), k in report.instead.most_common() if which == name)
        table.add_row(name, word, str(n), f"{report.share_named(name):.4f}" if n else "", instead)
    return table
