"""The published claims, and the verdict on each from our numbers."""

from skewbench.eval.claims.published import Claim, published_claims
from skewbench.eval.claims.verdict import LEAST, Verdict, judge

__all__ = ["LEAST", "Claim", "Verdict", "judge", "published_claims"]
