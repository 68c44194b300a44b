"""The report of a run: one self-contained HTML file."""

from skewbench.tasks.report.answers import answered
from skewbench.tasks.report.assemble import report_run, write_report

__all__ = ["answered", "report_run", "write_report"]
