from torch import nn, optim

from . import layers


class Net(nn.Identity):
    """An encoder and a head."""

    def __init__(self, encoder: nn.Module, num_classes: int, *, size=(8, 8), dropout: float = 0.0):
        super().__init__()


class Parity:
    """Share of samples whose class has the right parity."""

    higher_is_better: bool = True

    def update(self, logits, targets): ...

    def compute(self): ...

    def reset(self): ...


def nesterov(params, lr: float = 0.1, weight_decay: float = 0.0):
    """SGD that looks ahead."""
    return optim.SGD(params, lr=lr, weight_decay=weight_decay, momentum=0.9, nesterov=True)
