"""Values that pass between an engine and the driver."""
