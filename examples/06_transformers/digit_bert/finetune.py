"""Trains a small BERT to read digits."""

from transformers import AutoModelForSequenceClassification, BertConfig, Trainer, TrainingArguments

from digit_bert.data import LENGTH, NUM_TOKENS, DigitTokens


def accuracy(predicted) -> dict[str, float]:
    return {"accuracy": float((predicted.predictions.argmax(-1) == predicted.label_ids).mean())}


def make_trainer(lr: float = 3e-3, width: int = 32, layers: int = 2, epochs: int = 6) -> Trainer:
    config = BertConfig(
        vocab_size=NUM_TOKENS, max_position_embeddings=LENGTH, hidden_size=width, num_hidden_layers=layers,
        num_attention_heads=2, intermediate_size=2 * width, initializer_range=0.15, num_labels=10,
    )  # fmt: skip
    model = AutoModelForSequenceClassification.from_config(config)
    arguments = TrainingArguments(
        output_dir="digits", num_train_epochs=epochs, learning_rate=lr, warmup_steps=20,
        per_device_train_batch_size=32, per_device_eval_batch_size=360, eval_strategy="epoch", logging_strategy="epoch",
    )  # fmt: skip
    sets = {"valid": DigitTokens("valid"), "test": DigitTokens("test")}
    trainer = Trainer(model, arguments, train_dataset=DigitTokens("train"), eval_dataset=sets, compute_metrics=accuracy)
    return trainer
