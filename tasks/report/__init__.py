"""The report of a run: one self-contained HTML file."""

from skewbench.tasks.report.assemble import report_run

__all__ = ["report_run"]
