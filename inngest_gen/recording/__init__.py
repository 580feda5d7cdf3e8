"""Recordings: what a run was, as a file that can be replayed, shared and kept for ever."""
