from tests.ingest.landing import REGISTRY, Landing, exam, follow_up, withdrawal

VERSIONS = (
    "SELECT v.state, v.elements ->> 'ct_exam_result_lung_rads', v.to_seq IS NULL FROM versions v"
    " JOIN cases c ON c.id = v.case_id WHERE c.facility_id = :facility AND c.form = :form"
    " ORDER BY v.from_seq"
)


async def test_a_good_exam_becomes_a_case(landing: Landing) -> None:
    landed = await landing.land([exam()])
    assert landed.findings == []
    assert landed.outcomes == ["accepted"]
    assert landed.state == "completed"
    assert landed.submission.counts["accepted"] == landed.submission.counts["created"] == 1
    (facility,) = landing.facilities
    case = await landing.rows(
        "SELECT state, case_date::text FROM cases WHERE facility_id = :f", f=facility
    )
    assert case == [("submitted", "2025-03-04")]


async def test_nothing_identifying_is_kept_outside_the_vault(landing: Landing) -> None:
    await landing.land([exam(), exam(exam_unique_id="A-2", ctdivol="x")])
    kept = await landing.rows(
        "SELECT row_to_json(e)::text FROM entries e UNION ALL SELECT row_to_json(v)::text"
        " FROM versions v UNION ALL SELECT row_to_json(c)::text FROM cases c"
        " UNION ALL SELECT row_to_json(f)::text FROM findings f"
    )
    for secret in ("219099123", "MRN-1", "Ada", "Long", "1955-04-12", "A-1"):
        assert not any(f'"{secret}"' in text for (text,) in kept)
    sealed = await landing.rows("SELECT count(*) FROM entries WHERE sealed IS NOT NULL")
    assert sealed == [(0,)]


async def test_the_same_exam_again_amends_or_is_unchanged(landing: Landing) -> None:
    await landing.land([exam()])
    again = await landing.land([exam()])
    assert again.outcomes == ["unchanged"]
    amended = await landing.land([exam(ct_exam_result_lung_rads="3")])
    assert amended.outcomes == ["amended"]
    (facility,) = landing.facilities
    assert await landing.rows(VERSIONS, facility=facility, form="exam") == [
        ("submitted", "2", False),
        ("submitted", "3", True),
    ]


async def test_a_later_row_of_a_file_amends_an_earlier_one(landing: Landing) -> None:
    landed = await landing.land(
        [exam(), exam(ct_exam_result_lung_rads="3"), exam(ct_exam_result_lung_rads="3"), exam()]
    )
    assert landed.outcomes == ["accepted", "amended", "unchanged", "amended"]
    (facility,) = landing.facilities
    assert await landing.rows(VERSIONS, facility=facility, form="exam") == [
        ("submitted", "2", False),
        ("submitted", "3", False),
        ("submitted", "2", True),
    ]


async def test_versions_of_a_case_follow_one_another_without_gap_or_overlap(
    landing: Landing,
) -> None:
    for category in "1", "2", "3", "2":
        await landing.land(
            [
                exam(ct_exam_result_lung_rads=category),
                exam(ct_exam_result_lung_rads=category, dlp="81.00"),
            ]
        )
    spans = await landing.rows(
        "SELECT from_seq, to_seq FROM versions WHERE facility_id = :f ORDER BY from_seq",
        f=landing.facilities[0],
    )
    assert len(spans) == 8
    assert [to for _, to in spans] == [begin for begin, _ in spans[1:]] + [None]


async def test_a_draft_lies_beside_what_was_submitted_until_it_is_submitted(
    landing: Landing,
) -> None:
    (facility,) = landing.facilities
    saved = await landing.land([exam("save", ctdivol=None, dlp=None)])
    assert saved.outcomes == ["saved"]
    assert await landing.rows("SELECT state FROM cases WHERE facility_id = :f", f=facility) == [
        ("draft",)
    ]
    assert (await landing.land([exam()])).outcomes == ["accepted"]
    assert (await landing.land([exam("save", ct_exam_result_lung_rads="3")])).outcomes == ["saved"]
    assert await landing.rows("SELECT state FROM cases WHERE facility_id = :f", f=facility) == [
        ("submitted",)
    ]
    assert (await landing.land([exam(ct_exam_result_lung_rads="3")])).outcomes == ["amended"]
    assert await landing.rows(VERSIONS, facility=facility, form="exam") == [
        ("draft", "2", False),
        ("submitted", "2", False),
        ("draft", "3", False),
        ("submitted", "3", True),
    ]


async def test_a_withdrawal_keeps_the_history_and_can_be_sent_again(landing: Landing) -> None:
    (facility,) = landing.facilities
    await landing.land([exam()])
    landed = await landing.land([withdrawal(exam_unique_id="A-1")])
    assert landed.outcomes == ["withdrawn"]
    assert landed.submission.counts["withdrawn"] == 1
    assert (await landing.land([withdrawal(exam_unique_id="A-1")])).outcomes == ["unchanged"]
    assert (await landing.land([exam()])).outcomes == ["accepted"]
    assert await landing.rows(VERSIONS, facility=facility, form="exam") == [
        ("submitted", "2", False),
        ("withdrawn", None, False),
        ("submitted", "2", True),
    ]


async def test_what_was_never_sent_cannot_be_withdrawn(landing: Landing) -> None:
    landed = await landing.land([withdrawal(exam_unique_id="never"), exam()])
    assert landed.outcomes == ["rejected", "accepted"]
    assert landed.findings == [(1, "exam_unique_id", "unknown-case")]


async def test_a_follow_up_waits_for_its_exam_and_is_listed_meanwhile(landing: Landing) -> None:
    early = await landing.land([follow_up()])
    assert early.outcomes == ["waiting"]
    assert early.findings == [(1, "exam_unique_id", "waiting-for-parent")]
    assert early.submission.counts["waiting"] == 1
    await landing.land([exam()])
    later = await landing.told(early.submission)
    assert later.outcomes == ["accepted"]
    assert later.findings == []
    assert later.submission.counts["waiting"] == 0
    assert later.submission.counts["accepted"] == 1
    parents = await landing.rows(
        "SELECT count(*) FROM cases f JOIN cases e ON e.id = f.parent_id"
        " AND e.subject_id = f.subject_id WHERE f.facility_id = :f",
        f=landing.facilities[0],
    )
    assert parents == [(1,)]


async def test_a_follow_up_before_its_exam_in_one_file_lands_with_it(landing: Landing) -> None:
    landed = await landing.land([follow_up(), exam(), follow_up(follow_up_unique_id="F-2")])
    assert landed.outcomes == ["accepted"] * 3
    assert landed.findings == []


async def test_a_follow_up_is_held_against_its_exam_whenever_that_comes(landing: Landing) -> None:
    together = await landing.land(
        [exam(), follow_up(follow_up_date="2025-01-01"), follow_up(follow_up_unique_id="F-2")]
    )
    assert together.outcomes == ["accepted", "rejected", "accepted"]
    assert together.findings == [(2, "follow_up_date", "rule")]
    waiting = await landing.land([follow_up(exam_unique_id="B", follow_up_date="2025-01-01")])
    assert waiting.outcomes == ["waiting"]
    await landing.land([exam(exam_unique_id="B")])
    late = await landing.told(waiting.submission)
    assert late.outcomes == ["rejected"]
    assert late.findings == [(1, "follow_up_date", "rule")]


async def test_a_follow_up_without_an_id_goes_by_its_date_and_kind(landing: Landing) -> None:
    await landing.land([exam()])
    bare = follow_up(follow_up_unique_id=None)
    assert (await landing.land([bare])).outcomes == ["accepted"]
    assert (await landing.land([bare])).outcomes == ["unchanged"]
    other = follow_up(follow_up_unique_id=None, follow_up_date="2025-07-01")
    assert (await landing.land([other])).outcomes == ["accepted"]


async def test_a_withdrawn_exam_makes_new_follow_ups_wait(landing: Landing) -> None:
    await landing.land([exam(), follow_up()])
    await landing.land([withdrawal(exam_unique_id="A-1")])
    late = await landing.land([follow_up(follow_up_unique_id="F-9")])
    assert late.outcomes == ["waiting"]
    await landing.land([exam()])
    assert (await landing.told(late.submission)).outcomes == ["accepted"]


async def test_a_follow_up_withdrawn_while_it_waits_for_a_withdrawn_exam_stays_withdrawn(
    landing: Landing,
) -> None:
    await landing.land([exam()])
    await landing.land([withdrawal(exam_unique_id="A-1")])
    waiting = await landing.land([follow_up()])
    taken_back = await landing.land([follow_up("withdraw")])
    assert waiting.outcomes == taken_back.outcomes == ["waiting"]
    await landing.land([exam()])
    assert (await landing.told(waiting.submission)).outcomes == ["accepted"]
    assert (await landing.told(taken_back.submission)).outcomes == ["withdrawn"]
    states = "SELECT state FROM cases WHERE facility_id = :f AND form = 'follow_up'"
    assert await landing.rows(states, f=landing.facilities[0]) == [("withdrawn",)]


async def test_what_was_sent_earlier_never_undoes_what_was_sent_later(landing: Landing) -> None:
    held = await landing.send([exam(ct_exam_result_lung_rads="4A")])
    await landing.rows(
        "UPDATE submissions SET state = 'held' WHERE number = :n RETURNING 1", n=held.number
    )
    await landing.land([exam()])
    await landing.rows(
        "UPDATE submissions SET state = 'received' WHERE number = :n RETURNING 1", n=held.number
    )
    await landing.run()
    late = await landing.told(held)
    assert late.outcomes == ["superseded"]
    assert late.findings == [(1, "exam_unique_id", "superseded")]
    assert late.submission.counts["accepted"] == late.submission.counts["superseded"] == 1


async def test_one_bad_entry_does_not_sink_the_others(landing: Landing) -> None:
    landed = await landing.land(
        [
            exam(exam_unique_id="1"),
            exam(exam_unique_id="2", ct_exam_result_lung_rads="5"),
            exam(exam_unique_id="3", exam_date="31/02/2025"),
            exam(exam_unique_id="4", patient_mood="fine"),
            exam(exam_unique_id="5"),
        ]
    )
    assert landed.outcomes == ["accepted", "rejected", "rejected", "rejected", "accepted"]
    assert landed.findings == [
        (2, "ct_exam_result_lung_rads", "not-in-value-set"),
        (3, "exam_date", "not-a-date"),
        (4, f"member {len(exam()['elements']) + 1}", "unknown-element"),
    ]
    counts = landed.submission.counts
    assert counts["accepted"] + counts["rejected"] + counts["waiting"] == counts["entries"] == 5


async def test_a_whole_file_registry_takes_all_or_nothing(landing: Landing) -> None:
    submission = await landing.send([exam(), exam(exam_unique_id="2", ctdivol="none")])
    await landing.rows(
        "UPDATE submissions SET policy = 'whole-file' WHERE number = :n RETURNING 1",
        n=submission.number,
    )
    await landing.run()
    landed = await landing.told(submission)
    assert landed.outcomes == ["rejected", "rejected"]
    assert landed.findings == [(2, "ctdivol", "not-a-number"), (0, "submission", "whole-file")]
    assert landed.state == "completed"


async def test_each_version_has_a_feed_number_of_its_own(landing: Landing) -> None:
    await landing.land([exam(), follow_up(), exam(ct_exam_result_lung_rads="3")])
    await landing.land([withdrawal(exam_unique_id="A-1")])
    numbers = await landing.rows(
        "SELECT from_seq FROM versions WHERE registry_id = :r ORDER BY from_seq", r=REGISTRY
    )
    (last,) = await landing.rows("SELECT feed_seq FROM feeds WHERE registry_id = :r", r=REGISTRY)
    assert len({number for (number,) in numbers}) == len(numbers)
    assert numbers[-1] <= last
