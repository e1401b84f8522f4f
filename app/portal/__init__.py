"""The pages people use: server-rendered, small, and a client of our own API."""
