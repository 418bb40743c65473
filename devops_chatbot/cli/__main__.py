"""`python -m devops_chatbot.cli`."""

from devops_chatbot.cli import main

if __name__ == "__main__":
    main()
