"""The fake Inngest server: `Server` is in `server.py`, what it knows in `world.py`, what it does in `rules/`."""
