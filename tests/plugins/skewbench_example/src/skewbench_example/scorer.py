"""Warmth: mean of red minus mean of blue. Here, lower is better."""

from skewbench.eval.scorers import Metric, Score, check_batch, scorer


@scorer(
    name="warmth",
    version=1,
    unit="sample",
    medium="image",
    metrics=[
        Metric(
            name="warmth",
            label="Warmth of colour",
            meaning="mean red minus mean blue, −255 to 255",
            better="lower",
            low=-255.0,
            high=255.0,
            grows_with_n=False,
        )
    ],
)
class Warmth:
    """Mean of red minus mean of blue."""

    def score(self, images, prompts):
        check_batch(images, prompts)
        means = images.reshape(len(images), -1, 3).mean(axis=1) if len(images) else images.reshape(0, 3)
        return {"warmth": [Score(float(red - blue)) for red, _, blue in means]}
