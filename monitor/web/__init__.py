"""Show: pages and the API. Never the network."""
