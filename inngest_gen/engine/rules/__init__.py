"""The engine's rules: pure functions of values, the time among them."""
