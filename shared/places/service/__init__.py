"""What organizations do about their places, and what log-in pages ask of them."""
