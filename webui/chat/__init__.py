"""The conversation: questions, answers, their code, and the sidebar that leads to them."""
