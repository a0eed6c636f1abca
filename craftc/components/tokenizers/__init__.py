"""Tokenizers: what cuts a text into the tokens that a model predicts, learned of train alone where they are learned."""
