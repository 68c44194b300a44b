"""Blind rating by people: what is compared, in which order and on which side, and how votes reach the lake."""

from skewbench.tasks.rating.commit import commit_votes
from skewbench.tasks.rating.comparisons import QUESTIONS, Comparison, Question, find_comparisons
from skewbench.tasks.rating.session import Session, StaleVoteError
from skewbench.tasks.rating.shuffle import Placed, default_seed, shuffled
from skewbench.tasks.rating.votes import Votes

__all__ = [
    "QUESTIONS",
    "Comparison",
    "Placed",
    "Question",
    "Session",
    "StaleVoteError",
    "Votes",
    "commit_votes",
    "default_seed",
    "find_comparisons",
    "shuffled",
]
