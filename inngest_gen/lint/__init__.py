"""`inngest-gen lint`: finds in the text of handlers what a replay breaks. Executes nothing of the user's, imports nothing heavy."""
