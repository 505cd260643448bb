"""The main job, end to end, on real data: ``python -m lyapsk demo``."""
