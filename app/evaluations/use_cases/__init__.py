"""AI use cases: documents of five sections that a panel reviews and the public comments on."""
