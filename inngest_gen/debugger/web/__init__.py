"""A run as one HTML file that is stepped through in a browser, without a server and without a request to anywhere."""
