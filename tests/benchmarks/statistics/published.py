"""Data that have been published with what is to come of them."""

import numpy as np

SURGICAL_CASES = np.array([47, 148, 119, 810, 211, 196, 148, 215, 207, 97, 256, 360])
SURGICAL_DEATHS = np.array([0, 18, 8, 46, 8, 13, 9, 31, 14, 8, 29, 24])
"""Cardiac surgery in babies, 12 hospitals: "Surgical: institutional ranking" of the BUGS examples."""

FLOW_RATES = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1]
"""Flow rate of a liquid, ten batches: NIST/SEMATECH e-Handbook, section 6.3.2.2."""

BCG = np.array(
    [
        (4, 119, 11, 128),
        (6, 300, 29, 274),
        (3, 228, 11, 209),
        (62, 13536, 248, 12619),
        (33, 5036, 47, 5761),
        (180, 1361, 372, 1079),
        (8, 2537, 10, 619),
        (505, 87886, 499, 87892),
        (29, 7470, 45, 7232),
        (17, 1699, 65, 1600),
        (186, 50448, 141, 27197),
        (5, 2493, 3, 2338),
        (27, 16886, 29, 17825),
    ],
    float,
)
"""Trials of BCG vaccine (Colditz 1994): tuberculosis and none, vaccinated and not."""

LIP_OBSERVED = np.fromstring(
    "9 39 11 9 15 8 26 7 6 20 13 5 3 8 17 9 2 7 9 7 16 31 11 7 19 15 7 10 16 11 5 3 7 8 11 9 11 8 6 4"
    " 10 8 2 6 19 3 2 3 28 6 1 1 1 1 0 0",
    sep=" ",
)
LIP_EXPECTED = np.fromstring(
    "1.4 8.7 3.0 2.5 4.3 2.4 8.1 2.3 2.0 6.6 4.4 1.8 1.1 3.3 7.8 4.6 1.1 4.2 5.5 4.4 10.5 22.7 8.8 5.6"
    " 15.5 12.5 6.0 9.0 14.4 10.2 4.8 2.9 7.0 8.5 12.3 10.1 12.7 9.4 7.2 5.3 18.8 15.8 4.3 14.6 50.7"
    " 8.2 5.6 9.3 88.7 19.6 3.4 3.6 5.7 7.0 4.2 1.8",
    sep=" ",
)
"""Lip cancer in 56 districts of Scotland (Clayton and Kaldor, Biometrics 1987)."""

DEFECTIVE_CANS = np.fromstring(
    "12 15 8 10 4 7 16 9 14 10 5 6 17 12 22 8 10 5 13 11 20 18 24 15 9 12 7 13 9 6", sep=" "
)
"""Of 50 cans of orange juice, 30 samples: Montgomery, Introduction to Statistical Quality Control."""

NONCONFORMITIES = np.fromstring("10 12 8 14 10 16 11 7 10 15 9 5 7 11 12 6 8 10 7 5", sep=" ")
"""In 5 computers, 20 samples: Montgomery, the example of the u chart."""
