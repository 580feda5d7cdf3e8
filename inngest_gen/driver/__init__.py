"""Replays a handler against its record and stops at the frontier: one driver for every engine, server and debugger."""
