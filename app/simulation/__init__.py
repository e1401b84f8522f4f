"""A nation of facilities with known truth: for the demo, the sandbox and the measurement of speed."""
