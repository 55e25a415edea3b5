"""One module per policy: its decorator, its pipeline step and its checks."""
