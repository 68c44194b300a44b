"""Hints about missing data, with the command that computes it."""

from skewbench.tasks.report.answers import Answers


def no_metric(answers: Answers, what: str = "score") -> str:
    """Explain that a run has no metric of the kind that a figure needs.

    Args:
        answers: Answers of the run's queries.
        what: The kind of metric, in words.
    """
    requested = answers.run.experiment.get("metrics") or []
    named = f"requests {', '.join(requested)}" if requested else "requests no metric"
    return (
        f"This run has no {what}; its experiment {named}. `skewbench score {answers.run.run_id}` scores the "
        "existing images."
    )


def no_stability(answers: Answers) -> str | None:
    """Explain why a run has no stability measures; None if it has some.

    Args:
        answers: Answers of the run's queries.
    """
    if answers.profile.height:
        return None
    if reason := answers.run.identity.get("stability"):  # of imported images
        return str(reason)
    return "This run has no stability measures, because no sample is finished. `skewbench run EXPERIMENT` resumes it."


def no_baseline(answers: Answers) -> str | None:
    """Explain why nothing can be compared with a baseline; None if it can.

    Args:
        answers: Answers of the run's queries.
    """
    if answers.baseline is None:
        return (
            "This run has no baseline, so no image can be paired. Add a cell with `knob: {kind: vanilla}` to "
            "the experiment and start `skewbench run EXPERIMENT`."
        )
    if len(answers.cells) == 1:
        return (
            "This run has one cell, so there is nothing to compare it with. Add cells with a knob to the experiment "
            "and start `skewbench run EXPERIMENT`."
        )
    return None
