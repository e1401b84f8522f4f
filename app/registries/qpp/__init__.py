"""CMS's Quality Payment Program: the radiology measures it takes, as published, and what maps to them."""
