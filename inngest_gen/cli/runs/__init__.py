"""`inngest-gen runs`: looks at runs and asks the engine to cancel or retry them."""
