"""What an archive holds, and how it is laid out."""
