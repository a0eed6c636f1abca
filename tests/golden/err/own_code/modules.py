from torch import nn


class Widen(nn.Module):
    def __init__(self, num_in: int, num_out: int, scale: float = 1.0, *, bias: bool = True) -> None:
        super().__init__()
        self.layer = nn.Linear(num_in, num_out, bias=bias)
        self.scale = scale

    def forward(self, x):
        return self.scale * self.layer(x)
