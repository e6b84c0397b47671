"""Numba building blocks that every process model uses: elementary functions and the lane driver."""
