"""Speed measured by ratios: Zoo against frozen baselines in one and the same run. `python -m benchmarks --help`."""
