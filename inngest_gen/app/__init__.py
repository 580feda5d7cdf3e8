"""What a user declares with: App, functions, and the context handlers get."""
