"""The kernel: pure, exact, without input or output."""
