"""What the inbox needs from elsewhere: secrets, certificates, keys."""
