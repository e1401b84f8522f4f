"""
Rectangles of a picture.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of pixels: rows `top` to `bottom`, columns `left` to `right`, ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    def within(self, rows: int, columns: int) -> "Box":
        """Cut to a picture of this size."""
        return Box(
            min(max(self.top, 0), rows),
            min(max(self.left, 0), columns),
            min(max(self.bottom, 0), rows),
            min(max(self.right, 0), columns),
        )

    def grown(self, by: int) -> "Box":
        """Wider by so many pixels on every side."""
        return Box(self.top - by, self.left - by, self.bottom + by, self.right + by)

    def moved(self, down: int, right: int) -> "Box":
        """The same rectangle so many pixels further."""
        return Box(self.top + down, self.left + right, self.bottom + down, self.right + right)

    @property
    def area(self) -> int:
        """Pixels in it."""
        return max(0, self.bottom - self.top) * max(0, self.right - self.left)
