"""Checks what augmentations of images are given.

B: images of a batch, C: their channels.
"""

from torch import Tensor


def check_images(name: str, x: Tensor) -> None:
    """Raise ValueError where samples are no images."""
    if x.dim() not in (3, 4):
        raise ValueError(f"{name} needs images, (B, H, W) or (B, C, H, W), not a batch of shape {tuple(x.shape)}")


def check_channels(name: str, x: Tensor, *allowed: int) -> None:
    """Raise ValueError where images have another number of channels than one of those."""
    check_images(name, x)
    num = 1 if x.dim() == 3 else x.shape[1]
    if num not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise ValueError(
            f"{name} needs images of {wanted} channel{'s' if allowed != (1,) else ''}, and these have {num}"
        )


def as_channels(x: Tensor) -> Tensor:
    """(B, H, W) as (B, 1, H, W)."""
    return x[:, None] if x.dim() == 3 else x
