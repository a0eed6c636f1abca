from torch import nn


class Encoder(nn.Module):
    """Layers, one after another."""

    constraints = ("width % heads == 0",)

    def __init__(self, width: int, depth: int = 2, heads: int = 1):
        from ..shapes import check

        check(width, heads)
        super().__init__()
