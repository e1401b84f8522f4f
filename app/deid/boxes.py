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


def merged(boxes: list[Box]) -> list[Box]:
    """The same ground with boxes that overlap made one."""
    apart: list[Box] = []
    for box in boxes:
        while True:
            touching = [other for other in apart if _overlap(box, other)]
            if not touching:
                break
            apart = [other for other in apart if other not in touching]
            box = _around([box, *touching])
        apart.append(box)
    return apart


def _overlap(one: Box, other: Box) -> bool:
    return (
        one.top < other.bottom
        and other.top < one.bottom
        and one.left < other.right
        and other.left < one.right
    )


def _around(boxes: list[Box]) -> Box:
    return Box(
        min(box.top for box in boxes),
        min(box.left for box in boxes),
        max(box.bottom for box in boxes),
        max(box.right for box in boxes),
    )
