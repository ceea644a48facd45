"""The HTTP layer: shape in, one call, shape out; a file per noun."""
