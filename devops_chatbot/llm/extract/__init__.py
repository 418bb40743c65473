"""Answers without a language model: the right passage first, word for word, in reading order, cited."""
