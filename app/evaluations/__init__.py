"""What AI is asked to do: use cases, and later the algorithms that are held against them."""
