"""Trains and tests the network, as it was done before there was a spec."""

import lightning

from digit_net.data import Digits
from digit_net.module import DigitNet

if __name__ == "__main__":
    lightning.seed_everything(0, workers=True)
    module = DigitNet(lr=3e-3, channels=16, dropout=0.2)
    data = Digits(batch_size=64)
    trainer = lightning.Trainer(max_epochs=6, gradient_clip_val=1.0)
    trainer.fit(module, datamodule=data)
    trainer.test(module, datamodule=data)
