"""SimCLR (Chen et al., 2020) on small images of digits, judged by the nearest neighbours of what it has learned."""

from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F


def augment(x_BHW: Tensor) -> Tensor:
    rows, columns = torch.randint(-1, 2, (2,)).tolist()
    brightness_B = 1 + 0.4 * torch.randn(len(x_BHW), 1, 1)
    return (x_BHW.roll((rows, columns), (1, 2)) * brightness_B + 0.1 * torch.randn_like(x_BHW)).clamp(0, 1)


def nt_xent(z_BE: Tensor, other_BE: Tensor, temperature: float) -> Tensor:
    z_NE = F.normalize(torch.cat([z_BE, other_BE]), dim=1)
    similarity_NN = (z_NE @ z_NE.T / temperature).fill_diagonal_(float("-inf"))
    return F.cross_entropy(similarity_NN, torch.arange(len(z_NE)).roll(len(z_BE)))


@torch.no_grad()
def knn_accuracy(encoder: nn.Module, known: tuple[Tensor, Tensor], asked: tuple[Tensor, Tensor]) -> float:
    known_NE, asked_NE = (F.normalize(encoder(images), dim=1) for images, _ in (known, asked))
    nearest_NK = (asked_NE @ known_NE.T).topk(5).indices
    return float((known[1][nearest_NK].mode().values == asked[1]).float().mean())


def train(lr: float = 1e-3, temperature: float = 0.5, width: int = 64, epochs: int = 6, seed: int = 0) -> None:
    digits = load_digits()
    images, labels = torch.tensor(digits.images / 16, dtype=torch.float32), torch.tensor(digits.target)
    known, asked = (images[:1400], labels[:1400]), (images[1400:], labels[1400:])
    torch.manual_seed(seed)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
    head = nn.Sequential(nn.ReLU(), nn.Linear(width, width // 2))
    model = nn.ModuleList([encoder, head])
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    first = 0
    saved = torch.load("simclr.pt") if Path("simclr.pt").exists() else None
    if saved:
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        first = saved["epoch"]
    for epoch in range(first, epochs):
        torch.manual_seed(1000 * seed + epoch)
        total = 0.0
        for batch in torch.randperm(len(known[0])).split(140):
            x_BHW = known[0][batch]
            loss = nt_xent(head(encoder(augment(x_BHW))), head(encoder(augment(x_BHW))), temperature)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() / 10
        accuracy = knn_accuracy(encoder, known, asked)
        print(f"epoch {epoch}: loss {total}, knn {accuracy}")
        state = {"epoch": epoch + 1, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(state, "simclr.pt")


if __name__ == "__main__":
    train()
