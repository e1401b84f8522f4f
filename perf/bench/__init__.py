"""What speed scripts share: a throw-away service of real processes, and exams to send."""
