"""Version 1 of the wire: one file per resource, put together in `routes`."""
