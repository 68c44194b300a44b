"""What is missing, and the command that computes it."""

from skewbench.tasks.report.answers import Answers


def no_metric(answers: Answers, what: str = "score") -> str:
    """No metric of the kind that a figure needs."""
    asked = answers.run.experiment.get("metrics") or []
    named = f"asks for {', '.join(asked)}" if asked else "asks for no metric"
    return (
        f"There is no {what} in this run; the experiment {named}. `skewbench score {answers.run.run_id}` scores the "
        "images that are there."
    )


def no_stability(answers: Answers) -> str | None:
    """No measures in the run; None where there are."""
    if answers.profile.height:
        return None
    return "No stability was measured in this run: no sample was finished. `skewbench run EXPERIMENT` makes them."


def no_baseline(answers: Answers) -> str | None:
    """Nothing to compare with; None where there is."""
    if answers.baseline is None:
        return (
            "There is no baseline in this run, so no image has a partner. Add a cell with `knob: {kind: vanilla}` to "
            "the experiment and start `skewbench run EXPERIMENT`."
        )
    if len(answers.cells) == 1:
        return (
            "This run has one cell, so there is nothing to compare it with. Add cells with a knob to the experiment "
            "and start `skewbench run EXPERIMENT`."
        )
    return None
