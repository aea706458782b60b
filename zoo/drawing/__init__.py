"""Drawing: pages, charts and pictures as plain data, and how they are written. Nothing here knows of runs or torch."""
