"""torchvision is imported beside whichever torch is installed, by whomever."""

import subprocess
import sys

IMPORTED = """
import sys
from craftc.components.torchvision_operators import declare_operators, expect_torchvision
expect_torchvision()
expect_torchvision()
assert not {"torch", "torchvision"} & sys.modules.keys()
import json
num_finders = len(sys.meta_path)
import torch
from torchvision.models import resnet18
from torchvision.transforms import v2
assert len(sys.meta_path) < num_finders + 1
assert not declare_operators()
images = torch.arange(24.0).view(2, 1, 3, 4)
assert v2.functional.horizontal_flip(images).equal(images.flip(-1))
print(resnet18(num_classes=3)(torch.zeros(2, 3, 32, 32)).shape)
"""


def test_it_is_imported_with_models_and_transforms() -> None:
    command = [sys.executable, "-c", IMPORTED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "torch.Size([2, 3])\n"), done.stderr


WHOLE = """
from pathlib import Path
import torch
from craftc.components.torchvision_operators import declare_operators
loaded = []
def load(library):
    loaded.append(Path(library).name)
torch.ops.load_library = load
assert not declare_operators()
assert len(loaded) == 1 and loaded[0].startswith("_C"), loaded
assert not hasattr(torch.ops.torchvision, "nms")
from craftc.components import torchvision_operators
assert not torchvision_operators._libraries
"""


def test_one_whose_library_loads_is_left_alone() -> None:
    """As that of the same build as torch is: it registers its operators itself."""
    done = subprocess.run([sys.executable, "-c", WHOLE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
