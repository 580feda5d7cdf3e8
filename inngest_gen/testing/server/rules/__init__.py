"""What the server does with what it is told: functions of its state, a value and the time; no waiting, no I/O."""
