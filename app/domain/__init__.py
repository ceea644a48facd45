"""What the institution does: judge, refuse with reasons, read what people send."""
