"""Answers made of the documents' own words, for want of a language model."""

from devops_chatbot.answer.extractive.writer import ExtractiveWriter

__all__ = ["ExtractiveWriter"]
