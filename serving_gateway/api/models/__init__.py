"""The bodies of requests and answers, as the documentation under /docs shows them."""
