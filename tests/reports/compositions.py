"""Compositions made by hand: what a report could hold, without a database."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from app.reports.composition import (
    Completeness,
    Composition,
    ControlLimit,
    Delay,
    Figures,
    FollowUps,
    Funnel,
    MeasureFeedback,
    Methods,
    NotShown,
    Place,
    Placing,
    Quality,
    ReportedAdjusted,
    ReportedControl,
    Run,
    RunPoint,
    Section,
    Standing,
    Summary,
    Withheld,
)
from app.reports.evidence import limits

TOO_FEW = Withheld(reason="too-few-cases", says="Not shown: fewer than 10 cases.")


def figures(period: str = "2026Q3", rate: str | None = "12.5", **other: Any) -> Figures:
    """Figures that are shown, or, with no rate, withheld."""
    given: dict[str, Any] = {
        "period": period,
        "rate": rate,
        "low": None if rate is None else "9.1",
        "high": None if rate is None else "16.9",
        "numerator": None if rate is None else 35,
        "denominator": None if rate is None else 280,
        "exclusions": 2,
        "exceptions": 0,
        "caution": False,
        "withheld": TOO_FEW if rate is None else None,
    }
    return Figures(**given | other)


def standing(peer_group: str = "all", title: str = "All facilities", **other: Any) -> Standing:
    """A standing in the second best quarter of eleven facilities."""
    given: dict[str, Any] = {
        "peer_group": peer_group,
        "title": title,
        "snapshot_on": date(2026, 10, 1),
        "facilities": 11,
        "low": "8.0",
        "median": "11.0",
        "high": "15.5",
        "quartile": 2,
        "says": "second best quarter of 11 facilities",
        "withheld": None,
    }
    return Standing(**given | other)


def a_run(values: tuple[float | None, ...] = (10.0, 12.0, 11.0), note: str = "") -> Run:
    """A run chart of months that end with the report's period."""
    count = len(values)
    months = [(2026 * 12 + 8 - back) for back in reversed(range(count))]
    periods = [f"{month // 12}-{month % 12 + 1:02}" for month in months]
    return Run(
        unit="month",
        points=tuple(
            RunPoint(
                period=period,
                value=value,
                cases=40,
                note="" if value is not None else note,
            )
            for period, value in zip(periods, values, strict=True)
        ),
        control=a_control(periods, values),
        says="No sign of a change: what moves is what chance moves.",
    )


def a_control(
    periods: Sequence[str], values: Sequence[float | None], chart: str = "p", high: float = 14.5
) -> ReportedControl:
    """A control chart around 11 with limits at 7.5 and, as a rule, 14.5."""
    return ReportedControl(
        chart=chart,
        title=f"{chart} chart",
        points=tuple(
            ControlLimit(period=period, value=value, centre=11.0, low=7.5, high=high)
            for period, value in zip(periods, values, strict=True)
        ),
        says=f"Control chart ({chart} chart): no special cause.",
    )


def a_placing(**other: Any) -> Placing:
    """A result above the middle of all, as chance would have it."""
    given: dict[str, Any] = {
        "title": "All facilities",
        "target": "11.0",
        "score": "+0.8",
        "zone": "inside",
        "flagged": False,
        "above": True,
        "reliability": "0.74",
        "shrunk": "12.1",
        "low": "9.4",
        "high": "15.2",
        "says": "Allowing for chance, the best estimate is 12.1% (9.4 to 15.2; reliability 0.74).",
    }
    return Placing(**given | other)


def a_funnel() -> Funnel:
    """A funnel around 11 %, with the facility inside of it."""
    return Funnel(
        title="All facilities",
        target=11.0,
        target_says="pooled rate 11.0%",
        limits=limits(0.11, 100, 500),
        cases=280,
        value=12.5,
        zone="inside",
        earlier=((250, 13.3), (240, 14.1)),
        says="Within what chance alone would give around all facilities.",
    )


def an_adjusted(**other: Any) -> ReportedAdjusted:
    """The result as if all facilities had the same patients."""
    given: dict[str, Any] = {
        "factors": ("Age at the exam", "Smoking status"),
        "observed": 35,
        "expected": "28.4",
        "ratio": "1.23",
        "ratio_low": "0.87",
        "ratio_high": "1.67",
        "shrunk": "1.15",
        "shrunk_low": "0.86",
        "shrunk_high": "1.49",
        "reliability": "0.66",
        "rate": "12.9",
        "low": "9.1",
        "high": "17.5",
        "says": "Of such cases 28.4 would be expected anywhere, and there were 35.",
    }
    return ReportedAdjusted(**given | other)


def measure(id: str = "abnormal_interpretation_rate", **other: Any) -> MeasureFeedback:
    """A measure with a trend in which one period is withheld."""
    given: dict[str, Any] = {
        "id": id,
        "title": "Abnormal interpretation rate",
        "description": "Share of screens read as Lung-RADS 3 or 4.",
        "module": "lung-cancer-screening",
        "unit": "%",
        "better": "lower",
        "source": "unconfirmed",
        "reference": "S10",
        "scoring": "proportion",
        "split": (),
        "result": figures(),
        "trend": (
            figures("2025Q3", "15.0", low="11.0", high="20.0"),
            figures("2025Q4", "14.1", low="10.5", high="18.6"),
            figures("2026Q1", None),
            figures("2026Q2", "13.3", low="10.0", high="17.6"),
            figures(),
        ),
        "standings": (
            standing(),
            standing("category", "Community hospital", low="7.5", median="10.4", high="14.0"),
            standing(
                "division",
                "South Atlantic",
                low=None,
                median=None,
                high=None,
                quartile=None,
                facilities=None,
                says="Not shown: fewer than 5 facilities.",
                withheld=Withheld(
                    reason="too-few-peers", says="Not shown: fewer than 5 facilities."
                ),
            ),
        ),
        "run": a_run((15.0, 14.1, None, 13.3, 12.5)),
        "funnel": a_funnel(),
        "placing": a_placing(),
        "adjusted": an_adjusted(),
        "says": "35 of 280 screens: 12.5 %. That is in the second best quarter of all facilities.",
    }
    return MeasureFeedback(**given | other)


def composition(**other: Any) -> Composition:
    """A whole report."""
    given: dict[str, Any] = {
        "registry_id": "early-lung-cancer-detection",
        "registry": "Early Lung Cancer Detection Registry",
        "steward": "Lung screening committee",
        "facility": Place(
            id=200001,
            name="Riverside Imaging",
            corporate_account="Riverside Health",
            category="Community hospital",
            location="Metropolitan",
            division="South Atlantic",
        ),
        "period": "2026Q3",
        "period_says": "July to September 2026",
        "composed_at": datetime(2026, 10, 2, 7, 30, tzinfo=UTC),
        "summary": Summary(
            overall=("280 cases in July to September 2026.",),
            changed=("No measure changed more than chance explains.",),
            stands_out=("One measure is in the best half of all facilities.",),
            look_at=("Nothing calls for a closer look.",),
        ),
        "sections": (
            Section(
                title="Interpretation",
                measures=(
                    measure(),
                    measure(
                        "ctdivol_mean",
                        title="Mean CTDIvol",
                        unit=" mGy",
                        source="confirmed",
                        result=figures(rate=None),
                        trend=(figures(rate=None),),
                    ),
                ),
            ),
        ),
        "quality": Quality(
            cases=280,
            drafts=3,
            waiting=1,
            submissions=14,
            entries=290,
            rejected=6,
            warnings=9,
            completeness=(
                Completeness(
                    form="exam",
                    element="pack_years",
                    title="Pack-years",
                    cases=280,
                    filled=210,
                    unknown=12,
                    always=True,
                    share="75.0%",
                ),
            ),
            follow_ups=(FollowUps(title="Follow-up", cases=280, followed=31, share="11.1%"),),
            delays=(
                Delay(title="within 30 days", cases=200, share="71.4%"),
                Delay(title="later", cases=80, share="28.6%"),
            ),
            says=("6 of 290 entries were rejected.",),
        ),
        "not_shown": (
            NotShown(
                what="own result",
                title="Mean CTDIvol",
                measure_id="ctdivol_mean",
                reason="too-few-cases",
                says="Fewer cases than this measure needs for a rate. There are 7; it takes 10.",
            ),
        ),
        "methods": Methods(
            definition_version="1.12.0",
            definition_digest="0" * 64,
            feed_number=812,
            as_of=datetime(2026, 10, 2, 7, 29, tzinfo=UTC),
            snapshot_on=date(2026, 10, 1),
            says=("Intervals of proportions are Wilson's.",),
            unconfirmed=("Abnormal interpretation rate: formula from public descriptions.",),
        ),
    }
    return Composition(**given | other)
