"""Peer groups: what each way of grouping needs, bands without gaps, combinations of known parts."""

from app.registries.schema import PeerGroup
from app.registries.soundness.ground import Complaints, Ground, Place


class Peers:
    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def peers(self, place: Place, peers: PeerGroup) -> Complaints:
        if (peers.by == "volume") != bool(peers.bands):
            yield place, "volume has `bands`, and nothing else has", 0
        if peers.by in ("division", "category", "location") and not peers.groups:
            yield place, f"`{peers.id}` needs `groups`", 0
        if peers.volume_of is not None:
            if peers.by != "volume":
                yield (*place, "volume_of"), "only volume goes by a measure", 0
            if peers.volume_of not in {one.id for one in self.ground.definition.measures}:
                yield (*place, "volume_of"), f"there is no measure `{peers.volume_of}`", 0
        yield from self.combination((*place, "of"), peers)
        before: int | None = 0
        for number, band in enumerate(peers.bands):
            if band.at_least != before or (band.below is not None and band.below <= band.at_least):
                yield (*place, "bands", number), "bands must follow on one another from 0", 0
            before = band.below
        if peers.bands and before is not None:
            yield (*place, "bands"), "the last band must be open", 0

    def combination(self, place: Place, peers: PeerGroup) -> Complaints:
        if peers.by != "combination":
            if peers.of:
                yield place, "only a combination is made `of` others", 0
            return
        if len(set(peers.of)) < 2 or len(set(peers.of)) < len(peers.of):
            yield place, f"`{peers.id}` combines two different groupings or more", 0
        known = {one.id: one.by for one in self.ground.definition.peers}
        for one in peers.of:
            if known.get(one, "all") in ("all", "combination"):
                yield place, f"`{one}` is no grouping that can be combined", 0
        if peers.groups:
            yield place, "a combination's groups are those of its parts", 0
