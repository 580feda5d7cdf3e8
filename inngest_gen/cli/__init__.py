"""The command line: one file per command, and the nouns they share."""
