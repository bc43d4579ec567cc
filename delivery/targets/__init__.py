"""Where releases run: one module for each kind of target."""
