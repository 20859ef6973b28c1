"""The client against real gateways, and servers that misbehave."""
