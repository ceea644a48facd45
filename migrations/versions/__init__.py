"""One file a revision; each can be taken back."""
