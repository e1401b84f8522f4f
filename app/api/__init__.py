"""The wire: thin, one file per resource."""
