"""Which definitions are in force, and that what was published stays as it was."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from app.catalogue import Catalogue
from app.database import EVERYTHING, Database, Role
from app.errors import Conflict, InvalidDefinition, NotFound
from app.postgres import Addresses
from app.registries.load import PACKAGED, canonical, folders, load
from app.settings import Settings
from tests.make.definitions import SMALL, changed_copy, small

LUNG = "early-lung-cancer-detection"
SHIPPED = {folder.parts[-2] for folder in folders(PACKAGED)}


@pytest_asyncio.fixture
async def owner(database: Addresses) -> AsyncIterator[Database]:
    opened = Database(database.owner, Role.OWNER, pool=2)
    try:
        yield opened
        async with opened.transaction(EVERYTHING) as session:
            await session.execute(text("DELETE FROM definitions"))
    finally:
        await opened.close()


def version(number: str, **more: str) -> str:
    until = f"accept_until: {more['until']}\n" if "until" in more else ""
    return (
        SMALL["registry"]
        .replace("1.0.0", number)
        .replace("accept_from: 2025-01-01", f"accept_from: {more.get('since', '2025-01-01')}")
        + until
    )


def with_folder(settings: Settings, folder: Path) -> Settings:
    return settings.model_copy(update={"definitions": folder})


def test_the_packaged_registry_is_there_without_a_database(settings: Settings) -> None:
    catalogue = Catalogue(settings)
    assert {one.id for one in catalogue.registries()} == {
        folder.parts[-2] for folder in folders(PACKAGED)
    }
    assert catalogue.in_force(LUNG) == catalogue.registry(LUNG, version="1.12.0")
    for wrong in ({"version": "9.9.9"}, {"at": datetime(1990, 1, 1, tzinfo=UTC)}):
        with pytest.raises(NotFound):
            catalogue.registry(LUNG, **wrong)  # type: ignore[arg-type]
    with pytest.raises(NotFound):
        catalogue.in_force("no-such-registry")


def test_a_copy_in_the_deployers_folder_is_in_force_at_once(
    settings: Settings, tmp_path: Path
) -> None:
    changed_copy(tmp_path)
    catalogue = Catalogue(with_folder(settings, tmp_path))
    assert {"another-lung-registry", LUNG} <= {one.id for one in catalogue.registries()}
    recall = catalogue.in_force("another-lung-registry").measure("recall_rate")
    assert recall.numerator != catalogue.in_force(LUNG).measure("recall_rate").numerator


def test_the_window_decides_which_version_is_in_force(settings: Settings, tmp_path: Path) -> None:
    small(tmp_path / "a", registry=version("1.9.0", until="2025-12-31"))
    small(tmp_path / "b", registry=version("1.10.0", since="2025-06-01"))
    small(tmp_path / "c", registry=version("2.0.0", since="2190-01-01"))
    catalogue = Catalogue(with_folder(settings, tmp_path))
    assert [one.version for one in catalogue.versions("visits")] == ["2.0.0", "1.10.0", "1.9.0"]
    assert catalogue.in_force("visits").version == "1.10.0"
    assert catalogue.registry("visits", at=datetime(2025, 5, 31, tzinfo=UTC)).version == "1.9.0"
    assert catalogue.registry("visits", at=datetime(2025, 6, 1, tzinfo=UTC)).version == "1.10.0"
    assert (
        catalogue.registry("visits", at=datetime(2025, 7, 1, tzinfo=UTC), version="1.9.0").version
        == "1.9.0"
    )


def test_a_faulty_folder_stops_the_start_with_every_complaint(
    settings: Settings, tmp_path: Path
) -> None:
    small(tmp_path / "a", rules=SMALL["rules"].replace("packs < 5", "packs <"))
    small(tmp_path / "b", peers="nonsense")
    with pytest.raises(InvalidDefinition) as refused:
        Catalogue(with_folder(settings, tmp_path))
    assert len({line.split(":")[0] for line in refused.value.complaints}) == 2
    with pytest.raises(InvalidDefinition, match="not a folder"):
        Catalogue(with_folder(settings, tmp_path / "none"))


def test_two_documents_cannot_be_the_same_version(settings: Settings, tmp_path: Path) -> None:
    small(tmp_path / "a")
    small(tmp_path / "b", rules=SMALL["rules"].replace("packs < 5", "packs < 6"))
    with pytest.raises(InvalidDefinition, match="give this one an `id` or a `version` of its own"):
        Catalogue(with_folder(settings, tmp_path))


async def test_publishing_freezes_and_refuses_another_content(
    settings: Settings, owner: Database, tmp_path: Path
) -> None:
    catalogue = Catalogue(settings)
    first = load(small(tmp_path / "a"))
    async with owner.transaction(EVERYTHING) as session:
        assert await catalogue.publish(session, first, "the committee") is True
    async with owner.transaction(EVERYTHING) as session:
        assert await catalogue.publish(session, first) is False
    other = load(small(tmp_path / "b", rules=SMALL["rules"].replace("packs < 5", "packs < 6")))
    with pytest.raises(Conflict, match="a published version never changes"):
        async with owner.transaction(EVERYTHING) as session:
            await catalogue.publish(session, other)
    async with owner.transaction(EVERYTHING) as session:
        row = (await session.execute(text("SELECT digest, published_by FROM definitions"))).one()
    assert row == (first.digest, "the committee")


async def test_what_a_published_version_lists_stays_in_its_order(
    settings: Settings, owner: Database
) -> None:
    """People read strata, levels and groups in the order of the definition, whoever kept it meanwhile."""
    catalogue = Catalogue(settings)
    written = catalogue.in_force(LUNG)
    scramble = "UPDATE definitions SET document = document::jsonb::json"
    for before in ("SELECT 1", scramble):
        async with owner.transaction(EVERYTHING) as session:
            await session.execute(text(before))
        async with owner.transaction(EVERYTHING) as session:
            await catalogue.publish(session, written)
        async with owner.transaction(EVERYTHING) as session:
            await catalogue.refresh(session)
        published = catalogue.in_force(LUNG)
        assert published is not written
        assert json.dumps(canonical(published)) == json.dumps(canonical(written))
        (by_size,) = [one.strata for one in published.measure("ctdivol").stratifiers]
        assert list(by_size) == ["under-18.5", "from-18.5", "from-25", "from-30"]


async def test_the_end_of_a_published_version_can_be_set(
    settings: Settings, owner: Database, tmp_path: Path
) -> None:
    catalogue = Catalogue(settings)
    async with owner.transaction(EVERYTHING) as session:
        await catalogue.publish(session, load(small(tmp_path / "a")))
        await catalogue.refresh(session)
    assert catalogue.in_force("visits").accept_until is None
    ended = load(small(tmp_path / "b", registry=version("1.0.0", until="2027-01-31")))
    async with owner.transaction(EVERYTHING) as session:
        assert await catalogue.publish(session, ended) is True
        await catalogue.refresh(session)
    assert catalogue.in_force("visits").accept_until == date(2027, 1, 31)
    sooner = load(
        small(tmp_path / "c", registry=version("1.0.0", until="2026-12-31T12:00:00-05:00"))
    )
    async with owner.transaction(EVERYTHING) as session:
        assert await catalogue.publish(session, sooner) is True
        assert await catalogue.publish(session, sooner) is False
        await catalogue.refresh(session)
    (shown,) = catalogue.versions("visits")
    assert shown.accept_until == datetime(2026, 12, 31, 17, tzinfo=UTC)


async def test_a_version_whose_cases_could_not_be_compared_is_refused(
    settings: Settings, owner: Database, tmp_path: Path
) -> None:
    catalogue = Catalogue(settings)
    async with owner.transaction(EVERYTHING) as session:
        await catalogue.publish(session, load(small(tmp_path / "a")))
    grams = load(
        small(
            tmp_path / "b",
            registry=version("1.1.0"),
            elements_visit=SMALL["elements_visit"].replace("unit: kg", "unit: g"),
        )
    )
    with pytest.raises(Conflict, match=r"visit\.mass: was in kg, is in g"):
        async with owner.transaction(EVERYTHING) as session:
            await catalogue.publish(session, grams)


async def test_a_running_process_hears_of_what_another_publishes(
    settings: Settings, owner: Database, web: Database, worker: Database, tmp_path: Path
) -> None:
    catalogues = [Catalogue(settings), Catalogue(settings)]
    for catalogue, database in zip(catalogues, (web, worker), strict=True):
        await catalogue.keep_current(database)
        with pytest.raises(NotFound):
            catalogue.in_force("visits")
    async with owner.transaction(EVERYTHING) as session:
        await Catalogue(settings).publish(session, load(small(tmp_path)))
    for catalogue, database in zip(catalogues, (web, worker), strict=True):
        catalogue._looked = 0.0  # as if its pause were over
        await catalogue.keep_current(database)
        assert catalogue.in_force("visits") == load(tmp_path)


async def test_what_was_published_comes_before_what_lies_in_the_folder(
    settings: Settings, owner: Database, tmp_path: Path
) -> None:
    folder = small(tmp_path / "own" / "visits")
    catalogue = Catalogue(with_folder(settings, tmp_path / "own"))
    async with owner.transaction(EVERYTHING) as session:
        published = await catalogue.publish_packaged(session)
        assert {one.id for one in published} == {
            "visits",
            *(one.parts[-2] for one in folders(PACKAGED)),
        }
        assert await catalogue.publish_packaged(session) == []
        await catalogue.refresh(session)
    before = catalogue.in_force("visits").digest
    (folder / "rules.yaml").write_text(SMALL["rules"].replace("packs < 5", "packs < 6"))
    async with owner.transaction(EVERYTHING) as session:
        await catalogue.refresh(session)
        assert catalogue.in_force("visits").digest == before
        with pytest.raises(Conflict):
            await catalogue.publish_packaged(session)


async def test_a_folder_in_the_middle_of_an_edit_does_not_stop_a_running_process(
    settings: Settings, owner: Database, tmp_path: Path
) -> None:
    folder = small(tmp_path)
    catalogue = Catalogue(with_folder(settings, tmp_path))
    (folder / "rules.yaml").write_text("- {id: half")
    async with owner.transaction(EVERYTHING) as session:
        await catalogue.refresh(session)
        assert len(catalogue.in_force("visits").rules) == 3
        (folder / "rules.yaml").write_text("")
        await catalogue.refresh(session)
        assert catalogue.in_force("visits").rules == ()
