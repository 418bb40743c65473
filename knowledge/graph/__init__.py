"""Documents, sections, chunks and what they name, with their relations."""
