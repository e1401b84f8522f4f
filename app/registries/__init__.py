"""What a registry is: definitions as pure data, without a database or the web."""
