"""The served API on a disk that fails, and whose power goes in the end."""
