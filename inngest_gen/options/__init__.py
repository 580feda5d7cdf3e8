"""What a function may declare: triggers, retries, flow control, timeouts."""
