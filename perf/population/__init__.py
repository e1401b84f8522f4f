"""A nation of simulated cases, for the speed scripts: facilities of very different size, and their lake."""
