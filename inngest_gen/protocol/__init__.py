"""Bytes <-> values: what passes between this package and an Inngest server. Pure: no I/O, no clock; the time is an argument."""
