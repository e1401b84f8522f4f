"""
How fast instances are stored, de-identified, verified and archived.

    python perf/images.py [--short]

CT slices of 512 KiB with some 300 elements. First, in one process and in turns: a plain copy,
de-identification, the second look, and pydicom's read and save, in objects per second. Then the
whole journey: posted by STOW-RS, 20 a request, with one and with four senders, from the first byte
to the last instance in the archive.
"""

import argparse
import asyncio
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import asyncpg
import httpx
from bench.house import REGISTRY, House, house
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from app.deid.deidentify import Deidentified, deidentify
from app.deid.profile import Profile
from app.deid.uids import Keys
from app.deid.verify import second_look

A_REQUEST = 20
BOUNDARY = "perf-images-boundary"
PIXELS = random.Random(1).randbytes(512 * 1024)
ROOT = "1.2.826.0.1.3680043.10.998"


def slice_of(study: int, number: int) -> bytes:
    """A CT slice as large scanners send it: long header, nested sequences, private blocks."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = CTImageStorage
    made.SOPInstanceUID = f"{ROOT}.{study}.1.{number}"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.SpecificCharacterSet = "ISO_IR 100"
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
    made.StudyInstanceUID, made.SeriesInstanceUID = f"{ROOT}.{study}", f"{ROOT}.{study}.1"
    made.StudyDate = made.SeriesDate = made.AcquisitionDate = made.ContentDate = "20240311"
    made.StudyTime = made.SeriesTime = made.AcquisitionTime = made.ContentTime = "101112"
    made.AccessionNumber, made.Modality, made.Manufacturer = f"P{study}", "CT", "SIEMENS"
    made.InstitutionName, made.ReferringPhysicianName = "Perfville Hospital", "Referrer^Rita"
    made.StudyDescription, made.SeriesDescription = "CT CHEST W/O CONTRAST", "LUNG 1.0 B60f"
    made.PatientName, made.PatientID = f"Perfman^Paula{study}", f"MRN{study:07d}"
    made.PatientBirthDate, made.PatientSex, made.PatientAge = "19610704", "F", "062Y"
    made.BodyPartExamined, made.KVP, made.StudyID = "CHEST", "120", f"S{study}"
    made.FrameOfReferenceUID = f"{ROOT}.{study}.9"
    made.SeriesNumber, made.InstanceNumber = 1, number
    made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows = made.Columns = 512
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.PixelSpacing, made.SliceThickness = [0.7, 0.7], "1"
    made.RequestAttributesSequence = Sequence([_item(made) for _ in range(2)])
    made.ReferencedImageSequence = Sequence([_item(made) for _ in range(20)])
    for group in (0x0019, 0x0029, 0x0051):
        block = made.private_block(group, f"SIEMENS PERF {group:X}", create=True)
        for offset in range(60):
            block.add_new(offset + 1, "DS", f"{offset}.5")
    made.PixelData = PIXELS
    buffer = BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _item(around: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = CTImageStorage
    item.ReferencedSOPInstanceUID = around.StudyInstanceUID + ".7"
    return item


def alone(objects: list[bytes], rounds: int) -> None:
    """Each way by itself, interleaved."""
    profile, keys = Profile(), Keys.of(b"k" * 32)
    outputs = {one: deidentify(one, profile, keys) for one in objects}

    def look(source: bytes) -> None:
        made = outputs[source]
        assert isinstance(made, Deidentified)
        assert not second_look(source, made.content, decode=False)

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "copy"

        def copy(source: bytes) -> None:
            target.write_bytes(source)

        def saved(source: bytes) -> None:
            dcmread(BytesIO(source)).save_as(target)

        ways: dict[str, Callable[[bytes], object]] = {
            "plain copy": copy,
            "de-identify": lambda source: deidentify(source, profile, keys),
            "second look": look,
            "pydicom read + save": saved,
        }
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                begun = time.process_time()
                for one in objects:
                    way(one)
                rates[name].append(len(objects) / (time.process_time() - begun))
    first = statistics.median(rates["plain copy"])
    for name, some in rates.items():
        rate = statistics.median(some)
        print(f"  {name:<22}{rate:8.0f} objects per CPU second   1/{first / rate:.1f} of the copy")


async def journey(place: House, objects: list[bytes], senders: int) -> float:
    """Objects per second from the first byte sent to the last instance archived."""
    bodies = [
        b"".join(
            f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode() + one + b"\r\n"
            for one in objects[start : start + A_REQUEST]
        )
        + f"--{BOUNDARY}--\r\n".encode()
        for start in range(0, len(objects), A_REQUEST)
    ]
    path = f"/dicomweb/{REGISTRY}/studies?facility={place.facilities[0]}"
    kind = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'
    waiting = asyncio.Queue[bytes]()
    for body in bodies:
        waiting.put_nowait(body)
    connection = await asyncpg.connect(place.addresses.worker)
    try:
        before = await connection.fetchval(
            "SELECT count(*) FROM instances WHERE state = 'archived'"
        )
        async with httpx.AsyncClient(base_url=place.url, timeout=300) as client:

            async def send() -> None:
                while not waiting.empty():
                    answer = await client.post(
                        path,
                        content=waiting.get_nowait(),
                        headers={**place.headers, "Content-Type": kind},
                    )
                    if answer.status_code != 200:
                        raise SystemExit(answer.text)

            begun = time.perf_counter()
            await asyncio.gather(*(send() for _ in range(senders)))
            received = time.perf_counter() - begun
            while True:
                done, left = await connection.fetchrow(
                    "SELECT count(*) FILTER (WHERE state = 'archived'),"
                    " count(*) FILTER (WHERE state = 'received') FROM instances"
                )
                if not left:
                    break
                await asyncio.sleep(0.05)
        seconds = time.perf_counter() - begun
    finally:
        await connection.close()
    if done - before != len(objects):
        raise SystemExit(f"{done - before} of {len(objects)} archived")
    print(
        f"  {senders} sender{'s' * (senders > 1)}: received {len(objects) / received:.0f} objects/s,"
        f" archived {len(objects) / seconds:.0f} objects/s"
    )
    return len(objects) / seconds


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer objects, one round")
    parser.add_argument("--objects", type=int, default=500)
    asked = parser.parse_args()
    count, rounds = (40, 1) if asked.short else (asked.objects, 3)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    objects = [slice_of(1 + number // 100, number % 100 + 1) for number in range(count)]
    print(f"{count} CT slices of {len(objects[0]) / 1024:.0f} KiB, one process:")
    alone(objects[: min(count, 100)], rounds)
    print("the whole journey, through web process, worker and PostgreSQL:")
    with house(facilities=1) as place:
        for turn, senders in enumerate((1, 4)):
            some = [slice_of(1_000 * (turn + 1) + n // 100, n % 100 + 1) for n in range(count)]
            asyncio.run(journey(place, some, senders))


if __name__ == "__main__":
    main()
