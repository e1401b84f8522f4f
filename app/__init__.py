"""Hounsfield: national imaging registries on an organisation's own machines."""
