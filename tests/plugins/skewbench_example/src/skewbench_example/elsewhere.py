"""A scorer with an environment of its own: its package wants a `packaging` that skewbench cannot have."""

from skewbench.eval.scorers import Environment, Metric, Score, check_batch, scorer


@scorer(
    name="tiny_brightness",
    version=1,
    unit="sample",
    medium="image",
    environment=Environment("tiny", pip=("skewbench_tiny==2.5", "packaging==1.0")),
    metrics=[
        Metric(
            name=name,
            label=name.replace("_", " "),
            meaning="mean brightness, as the package scales it" if name == "tiny_brightness" else "1 for packaging 1.0",
            better="neither",
            low=0.0,
            high=None,
            grows_with_n=False,
        )
        for name in ("tiny_brightness", "tiny_old")
    ],
)
class TinyBrightness:
    """Mean brightness, as the package of the environment scales it."""

    def score(self, images, prompts):
        import packaging
        import skewbench_tiny  # only in the environment

        check_batch(images, prompts)
        print("libraries print what they like")
        return {
            "tiny_brightness": [Score(skewbench_tiny.scaled(float(image.mean()))) for image in images],
            "tiny_old": [Score(float(packaging.__version__ == "1.0")) for _ in images],
        }
