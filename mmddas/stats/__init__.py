"""Effects with standard errors, a search's evidence, and comparisons of trainings. NumPy, PyTorch and SciPy only."""
