"""Trains a GAN on images of digits: two networks with an optimizer each, which take turns."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from digit_gan.measure import frechet_distance, load_images
from digit_gan.networks import discriminator, generator

NOISE = 16


def train(
    lr_generator: float = 2e-3, lr_discriminator: float = 2e-3, real_label: float = 0.9, epochs: int = 12,
    seed: int = 0, resume: str = "",
) -> None:  # fmt: skip
    torch.manual_seed(seed)
    images, held_out = load_images()
    make, judge = generator(NOISE), discriminator()
    make_optimizer = torch.optim.Adam(make.parameters(), lr=lr_generator, betas=(0.5, 0.999))
    judge_optimizer = torch.optim.Adam(judge.parameters(), lr=lr_discriminator, betas=(0.5, 0.999))
    parts = {"make": make, "judge": judge, "make_optimizer": make_optimizer, "judge_optimizer": judge_optimizer}
    first = load(torch.load(resume), parts) if resume else 0
    for epoch in range(first, epochs):
        for (real,) in DataLoader(TensorDataset(images), batch_size=64, shuffle=True, drop_last=True):
            fake = make(torch.randn(len(real), NOISE))
            judged_real, judged_fake = judge(real), judge(fake.detach())
            judge_loss = loss(judged_real, real_label) + loss(judged_fake, 0.0)
            judge_optimizer.zero_grad()
            judge_loss.backward()
            judge_optimizer.step()

            make_loss = loss(judge(fake), 1.0)
            make_optimizer.zero_grad()
            make_loss.backward()
            make_optimizer.step()
        with torch.no_grad():
            distance = frechet_distance(make(torch.randn(1000, NOISE)), held_out)
        print(f"epoch {epoch}: distance {distance}, losses {make_loss:.3f} and {judge_loss:.3f}")
        torch.save(saved(epoch + 1, parts), "gan.pt")


def loss(judged: torch.Tensor, label: float) -> torch.Tensor:
    return nn.functional.binary_cross_entropy_with_logits(judged, torch.full_like(judged, label))


def saved(epoch: int, parts: dict) -> dict:
    states = {name: part.state_dict() for name, part in parts.items()}
    return {"epoch": epoch, "random": torch.get_rng_state(), **states}


def load(state: dict, parts: dict) -> int:
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["random"])
    return state["epoch"]


if __name__ == "__main__":
    train()
