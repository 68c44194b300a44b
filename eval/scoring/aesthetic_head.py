"""The small network of LAION's aesthetic predictor, which ImageReward has too."""

from torch import Tensor, nn

_WIDTHS = (1024, 128, 64, 16)


class AestheticHead(nn.Module):
    """The predictor's layers, under the names that its checkpoint has. `width`: of the CLIP's features."""

    def __init__(self, width: int = 768) -> None:
        super().__init__()
        first, second, third, fourth = _WIDTHS
        self.layers = nn.Sequential(
            nn.Linear(width, first), nn.Dropout(0.2),
            nn.Linear(first, second), nn.Dropout(0.2),
            nn.Linear(second, third), nn.Dropout(0.1),
            nn.Linear(third, fourth), nn.Linear(fourth, 1),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        """Compute one number per feature vector.

        Args:
            features: Features of a CLIP or BLIP; shape (n, width).

        Returns:
            Shape (n,).
        """
        return self.layers(features).squeeze(1)
