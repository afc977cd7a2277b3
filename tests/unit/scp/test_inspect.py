"""The command ``hounsfield inspect``, on phantoms in files."""

import copy
import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pydicom.dataset import Dataset

from pipeline.encode.context import uid_from
from pipeline.findings import Code, Measurement, MeasurementGroup
from pipeline.instance import read_instance
from pipeline.phantom import chest_phantom, phantom_instances
from pipeline.volume import build_volume
from pipeline.volume_report import VolumeReport
from scp.cli import main
from scp.ledger import Ledger
from scp.ledger.jobs import NewJob, create_job, fail_job, finish_job
from scp.ledger.series import ReceivedInstance, index_instances
from scp.state_folder import StateFolder

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SLICES, SIZE, SLICE_MM = 8, 16, 5.0
PHANTOM = chest_phantom(slices=SLICES, size=SIZE, slice_mm=SLICE_MM)

Change = Callable[[list[Dataset]], object]


def inspect(*arguments: str | Path) -> Result:
    """Run the command in this process; an error that it lets through fails the test."""
    words = ["inspect", *(str(argument) for argument in arguments)]
    return CliRunner().invoke(main, words, catch_exceptions=False)


def write(folder: Path, change: Change = lambda _: None, series: str = "1.2.3") -> Path:
    """Write the phantom, changed, as one series."""
    datasets = list(phantom_instances(PHANTOM))
    change(datasets)
    folder.mkdir(parents=True)
    for number, dataset in enumerate(datasets):
        dataset.SeriesInstanceUID = series
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        pydicom.dcmwrite(folder / f"{number:03d}.dcm", dataset, enforce_file_format=True)
    return folder


def without_slice(datasets: list[Dataset]) -> None:
    """A slice is missing in the middle."""
    del datasets[3]


def tilted(datasets: list[Dataset]) -> None:
    """Every slice lies a pixel's height behind the one before."""
    for number, dataset in enumerate(datasets):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, float(y) + 2.0 * number, z]


def two_echoes(datasets: list[Dataset]) -> None:
    """The same positions again, as another echo."""
    again = copy.deepcopy(datasets)
    for number, dataset in enumerate((*datasets, *again)):
        dataset.EchoNumbers = 1 + number // SLICES
        dataset.InstanceNumber = number + 1
        dataset.SOPInstanceUID = uid_from("echoes", number)
    datasets += again


def report(*arguments: str | Path) -> dict[str, Any]:
    """The JSON document."""
    document: dict[str, Any] = json.loads(inspect(*arguments, "--json").output)
    return document


def test_a_sound_series_is_told_with_all_that_is_known(tmp_path: Path) -> None:
    """Exit status 0; geometry, rule, rescale, values, syntax and class are in the table."""
    answer = inspect(write(tmp_path / "chest"))
    assert answer.exit_code == 0
    assert answer.stderr == ""
    for words in (
        "Series 1.2.3",
        "CT",
        "8 x CT Image Storage",
        "8 x Explicit VR Little Endian",
        "5 mm by the header",
        "axial, 8 images at 8 positions, -17.50 to 17.50 mm",
        "8 x 16 x 16 voxels of 5 x",
        "distance of the first two positions",
        "LPS",
        "every position once; 8 of 8 images kept",
        "slope 1, intercept -1024, int16 HU",
        "█",
        "1 series: 1 rebuilt, 0 refused",
    ):
        assert words in answer.output


def test_help_says_what_it_is_for() -> None:
    """The usage, the exit status, and every option."""
    answer = inspect("--help")
    assert answer.exit_code == 0
    assert "inspect [OPTIONS] [PATH]..." in answer.output
    assert "Exit status 1" in answer.output


def test_lines_are_not_broken_at_a_width(tmp_path: Path) -> None:
    """A reason can be found by a search, however long it is."""
    answer = inspect(write(tmp_path / "gap", without_slice))
    refused = [line for line in answer.output.splitlines() if line.startswith("  refused")]
    assert len(refused) == 1
    assert refused[0].endswith("in the pipeline's rebuild settings.")


def test_a_refused_series_gives_its_reason_and_exit_status_1(tmp_path: Path) -> None:
    """With where the slice is missing, and where the gap begins."""
    answer = inspect(write(tmp_path / "gap", without_slice))
    assert answer.exit_code == 1
    assert "1 slice(s) are missing, at -2.50 mm" in answer.output
    assert "1 gap: 10.00 mm after -7.50 mm" in answer.output
    assert "Traceback" not in answer.output


@pytest.mark.parametrize(
    ("change", "option", "value", "warning"),
    [
        (without_slice, "--fill", "interpolate", "interpolated"),
        (tilted, "--tilt", "resample", "shifted back"),
    ],
)
def test_an_option_shows_what_a_setting_would_change(
    tmp_path: Path, change: Change, option: str, value: str, warning: str
) -> None:
    """Refused by default; with the option there is a volume and a warning."""
    folder = write(tmp_path / "series", change)
    assert inspect(folder).exit_code == 1
    answer = inspect(folder, option, value)
    assert answer.exit_code == 0
    assert warning in answer.output


def test_a_tolerance_shows_what_a_setting_would_change(tmp_path: Path) -> None:
    """A slice 0.3 mm off its place is refused, and taken with a wider tolerance."""

    def moved(datasets: list[Dataset]) -> None:
        x, y, z = datasets[3].ImagePositionPatient
        datasets[3].ImagePositionPatient = [x, y, float(z) + 0.3]

    folder = write(tmp_path / "series", moved)
    answer = inspect(folder)
    assert answer.exit_code == 1
    assert "2 uneven distances: 5.30 mm after -7.50 mm, 4.70 mm" in answer.output
    assert inspect(folder, "--tolerance-mm", "0.5").exit_code == 0


def test_each_phase_is_a_volume_of_its_own(tmp_path: Path) -> None:
    """All by default, the first, the one named, or a refusal that lists what is there."""
    folder = write(tmp_path / "echoes", two_echoes)
    both = inspect(folder)
    assert "volume 1 of 2" in both.output
    assert "volume 2 of 2" in both.output
    assert "split by EchoNumbers; 8 of 16 images kept" in both.output
    first = inspect(folder, "--phases", "first")
    assert "volume 2 of 2" not in first.output
    named = report(folder, "--phase", "EchoNumbers=2")["series"][0]["volumes"]
    assert [volume["receipt"]["phase"]["number"] for volume in named] == [2]
    assert inspect(folder, "--phases", "refuse").exit_code == 1


def test_json_holds_the_receipt_and_the_histogram(tmp_path: Path) -> None:
    """The receipt is the rebuild's own, complete; every voxel is in a bin."""
    folder = write(tmp_path / "chest")
    result = build_volume([read_instance(path) for path in folder.iterdir()])
    document = report(folder)
    assert document["passed_over"] == []
    (series,) = document["series"]
    assert set(series) == {
        "series_instance_uid",
        "modality",
        "instances",
        "sop_classes",
        "transfer_syntaxes",
        "slice_thickness_header_mm",
        "positions",
        "images_without_position",
        "verdict",
        "reason",
        "volumes",
        "picture",
    }
    assert (series["verdict"], series["reason"]) == ("volume", None)
    assert series["sop_classes"] == [
        {"uid": "1.2.840.10008.5.1.4.1.1.2", "name": "CT Image Storage", "instances": SLICES}
    ]
    (volume,) = series["volumes"]
    assert volume["receipt"] == json.loads(json.dumps(result.receipt.as_dict()))
    values, voxels = volume["values"], result.volume.voxels
    assert (values["minimum"], values["maximum"]) == (voxels.min(), voxels.max())
    assert sum(values["histogram"]["counts"]) == voxels.size
    assert len(values["histogram"]["edges"]) == len(values["histogram"]["counts"]) + 1


def test_json_of_a_refused_series_tells_where_its_images_lie(tmp_path: Path) -> None:
    """Each position with the instances there, and after which one there is a gap."""
    (series,) = report(write(tmp_path / "gap", without_slice))["series"]
    assert series["verdict"] == "refused"
    assert "missing" in series["reason"]
    (lane,) = series["positions"]
    assert lane["gaps_after_mm"] == [-7.5]
    assert len({uid for place in lane["places"] for uid in place["images"]}) == SLICES - 1


@pytest.mark.parametrize(
    ("change", "options"),
    [
        (lambda _: None, ()),
        (without_slice, ("--fill", "interpolate")),
        (tilted, ("--tilt", "resample")),
        (two_echoes, ()),
    ],
    ids=["plain", "filled", "tilted", "echoes"],
)
def test_headers_alone_give_the_same_receipt(
    tmp_path: Path, change: Change, options: tuple[str, ...]
) -> None:
    """Without pixels nothing but the values is missing."""
    folder = write(tmp_path / "series", change)
    (full,), (headers,) = (
        report(folder, *options, *more)["series"] for more in ((), ("--no-pixels",))
    )
    assert all(volume["values"] is None for volume in headers["volumes"])
    for volume in (*full["volumes"], *headers["volumes"]):
        del volume["values"]
    assert headers == full


def test_headers_alone_do_not_need_sound_pixels(tmp_path: Path) -> None:
    """Pixels that do not decode refuse the series only where they are looked at."""

    def damaged(datasets: list[Dataset]) -> None:
        datasets[2].file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.5"
        datasets[2].PixelData = pydicom.encaps.encapsulate([b"\0" * 128])
        datasets[2]["PixelData"].VR = "OB"

    folder = write(tmp_path / "series", damaged)
    answer = inspect(folder)
    assert answer.exit_code == 1
    assert "The pixel data of instance" in answer.output
    assert "1 x RLE Lossless" in answer.output
    assert inspect(folder, "--no-pixels").exit_code == 0


def test_no_patient_is_named_anywhere(tmp_path: Path) -> None:
    """Neither table nor JSON nor picture holds name or ID; the description is the table's only."""

    def named(datasets: list[Dataset]) -> None:
        for dataset in datasets:
            dataset.PatientName = "SECRET^PERSON"
            dataset.PatientID = "SECRET-ID"
            dataset.SeriesDescription = "Thorax of a SECRET-FRIEND"

    folder = write(tmp_path / "series", named)
    picture = tmp_path / "out.png"
    table = inspect(folder, "--picture", picture).output
    assert "SECRET-FRIEND" in table
    assert "SECRET" not in table.replace("SECRET-FRIEND", "")
    assert "SECRET" not in inspect(folder, "--json").output
    assert b"SECRET" not in picture.read_bytes()
    assert not Image.open(picture).info


def test_a_header_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """What is no printable character is shown as a question mark."""

    def hostile(datasets: list[Dataset]) -> None:
        for dataset in datasets:
            dataset.SeriesDescription = "a\x1b[2Jb [red]c[/red]"

    answer = inspect(write(tmp_path / "series", hostile))
    assert "\x1b" not in answer.output
    assert "a?[2Jb [red]c[/red]" in answer.output


def test_files_that_are_no_instances_are_counted_and_named(tmp_path: Path) -> None:
    """By reason, the rarest first, and they refuse nothing."""
    folder = write(tmp_path / "series")
    for number in range(5):
        (folder / f"note{number}.txt").write_text("no DICOM")
    (folder / "cut.dcm").write_bytes((folder / "000.dcm").read_bytes()[:300])
    answer = inspect(folder)
    assert answer.exit_code == 0
    assert "6 file(s) passed over" in answer.output
    assert "and 2 more" in answer.output
    assert answer.output.index("cut.dcm") < answer.output.index("note0.txt")
    assert len(report(folder)["passed_over"]) == 6


def test_a_file_named_twice_counts_once(tmp_path: Path) -> None:
    """A folder and a file in it."""
    folder = write(tmp_path / "series")
    (series,) = report(folder, folder / "000.dcm")["series"]
    assert series["instances"] == SLICES


def test_an_empty_folder_gives_no_volume(tmp_path: Path) -> None:
    """Exit status 1, for there is nothing to build."""
    answer = inspect(tmp_path)
    assert answer.exit_code == 1
    assert "0 series" in answer.output


def test_objects_without_slices_refuse_nothing_beside_a_volume(tmp_path: Path) -> None:
    """A report is no image; by itself it gives no volume."""

    def report_only(datasets: list[Dataset]) -> None:
        del datasets[1:]
        del datasets[0].Rows, datasets[0].Columns, datasets[0].PixelData

    write(tmp_path / "all" / "report", report_only, series="1.2.4")
    alone = inspect(tmp_path / "all")
    assert alone.exit_code == 1
    assert "no image" in alone.output
    write(tmp_path / "all" / "chest")
    both = inspect(tmp_path / "all")
    assert both.exit_code == 0
    assert "2 series: 1 rebuilt, 0 refused, 1 without image slices." in both.output


def test_why_there_is_no_suv_is_said(tmp_path: Path) -> None:
    """For a PET series, with the reason."""

    def pet(datasets: list[Dataset]) -> None:
        for dataset in datasets:
            dataset.Modality = "PT"

    answer = inspect(write(tmp_path / "pet", pet))
    assert "SUV" in answer.output
    assert "no factor: Units is missing" in answer.output


def test_several_series_get_numbered_pictures(tmp_path: Path) -> None:
    """In the order of their UIDs, as wide as ever; one series has the name as it is."""
    write(tmp_path / "in" / "b", series="1.2.4")
    write(tmp_path / "in" / "a", without_slice, series="1.2.3")
    answer = inspect(tmp_path / "in", "--picture", tmp_path / "out.png")
    first, second = tmp_path / "out-001.png", tmp_path / "out-002.png"
    assert answer.output.index(str(first)) < answer.output.index(str(second))
    with Image.open(first) as refused, Image.open(second) as rebuilt:
        assert refused.width == rebuilt.width == 1280
        assert refused.height < rebuilt.height
    inspect(tmp_path / "in" / "a", "--picture", tmp_path / "one.png")
    assert (tmp_path / "one.png").exists()


def test_json_names_the_picture(tmp_path: Path) -> None:
    """Both may be asked for at once."""
    picture = tmp_path / "out.png"
    (series,) = report(write(tmp_path / "series"), "--picture", picture)["series"]
    assert series["picture"] == str(picture)
    assert picture.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Name files or folders"),
        ((".", "--job", "1"), "Name files or folders"),
        (("--job", "1", "--picture", "a.png"), "--picture needs files"),
        ((".", "--picture", "a.jpg"), "ends in .png"),
        ((".", "--picture", "nowhere/a.png"), "no folder nowhere"),
        ((".", "--phase", "2"), "KEYWORD=VALUE"),
        ((".", "--fill", "guess"), "'guess' is not one of"),
        (("nowhere",), "does not exist"),
    ],
)
def test_wrong_use_is_told_before_any_work(arguments: tuple[str, ...], words: str) -> None:
    """Exit status 2 and a sentence."""
    answer = inspect(*arguments)
    assert answer.exit_code == 2
    assert words in answer.output


@pytest.fixture
def ledger_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's state folder with an empty ledger."""
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("HOUNSFIELD_NODE__STATE", str(folder))
    with closing(Ledger(StateFolder(folder).ledger)) as ledger:
        ledger.migrate()
    return folder


def add_job(folder: Path, volumes: list[dict[str, Any]] | None, failure: str = "") -> int:
    """A job in the ledger, done or failed."""
    received = ReceivedInstance(
        name="1.dcm",
        sop_instance_uid="1.2.3.1",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        study_instance_uid="1.2.0",
        series_instance_uid="1.2.3",
        modality="CT",
        calling_ae_title="SENDER",
        called_ae_title="HOUNSFIELD",
        size_bytes=1,
        received_at=NOW,
    )
    with closing(Ledger(StateFolder(folder).ledger)) as ledger, ledger.write() as connection:
        index_instances(connection, [received])
        job_id = create_job(
            connection,
            NewJob(
                series_id=1,
                revision=1,
                route="all",
                pipeline="chest",
                destinations=(),
                instance_names=("1.dcm",),
                created_at=NOW,
            ),
        )
        if volumes is None:
            fail_job(connection, job_id, failure, NOW)
        else:
            finish_job(connection, job_id, volumes, NOW)
    return job_id


def test_a_job_shows_the_receipts_kept_with_it(tmp_path: Path, ledger_folder: Path) -> None:
    """The same lines as for files, what was measured, and all of it in JSON."""
    folder = write(tmp_path / "chest")
    receipt = build_volume([read_instance(path) for path in folder.iterdir()]).receipt
    volume = Code("118565006", "SCT", "Volume")
    measured = Measurement(volume, 2.5, Code("ml", "UCUM", "milliliter"), "Counted")
    group = MeasurementGroup("Left lung", "lungs", (2,), (measured,))
    report = VolumeReport(receipt, (group,), ("The lungs are widely joined.",)).as_dict()
    job_id = add_job(ledger_folder, [report])
    answer = inspect("--job", str(job_id))
    assert answer.exit_code == 0
    lines = set(answer.output.splitlines())
    of_files = [
        line
        for line in inspect(folder, "--no-pixels").output.splitlines()
        if line.startswith(("  volume", "  spacing", "  origin", "  rule", "  rescale"))
    ]
    assert len(of_files) == 5
    assert lines.issuperset(of_files)
    assert "Left lung: Volume 2.5 ml" in answer.output
    assert "widely joined" in answer.output
    document = json.loads(inspect("--job", str(job_id), "--json").output)
    assert document["job"]["state"] == "done"
    assert document["volumes"] == [json.loads(json.dumps(report))]


def test_a_failed_job_shows_its_reason(ledger_folder: Path) -> None:
    """Exit status 1, for there is no receipt."""
    job_id = add_job(ledger_folder, None, "The slices make no volume: 1 slice(s) are missing.")
    answer = inspect("--job", str(job_id))
    assert answer.exit_code == 1
    assert "1 slice(s) are missing" in answer.output
    assert "none: they are kept once a job is done" in answer.output


def test_receipts_of_another_version_are_left_to_json(ledger_folder: Path) -> None:
    """A sentence in place of half a receipt."""
    job_id = add_job(ledger_folder, [{"rule": "of old"}])
    answer = inspect("--job", str(job_id))
    assert answer.exit_code == 1
    assert "another version" in answer.output
    document = json.loads(inspect("--job", str(job_id), "--json").output)
    assert document["volumes"] == [{"rule": "of old"}]


@pytest.mark.usefixtures("ledger_folder")
def test_a_job_that_is_not_there_is_told() -> None:
    """And what lists those that are."""
    answer = inspect("--job", "7")
    assert answer.exit_code == 1
    assert "There is no job 7" in answer.output


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("chest_ct_lungdx_a0002_b40f", 0, "30 x 512 x 512 voxels of 8 x 0.6465 x 0.6465 mm"),
        ("awkward_missing_slice", 1, "1 gap: 10.00 mm after 28.11 mm"),
        ("awkward_two_orientations", 1, "oblique, 2.4 degrees from sagittal, 2 images"),
        ("head_ct_phantom_philips_localizer", 1, "sagittal, 1 image"),
        ("pet_nema_phantom_recon1", 0, "no factor: Units is missing"),
        ("enhanced_mr_hyperfine", 0, "8 x 138 x 112 voxels of 5 x 1.61 x 1.59 mm"),
        ("sts002_thigh_ct_rtstruct", 1, "no image slices"),
    ],
)
def test_real_series_are_told(tmp_path: Path, name: str, status: int, words: str) -> None:
    """Of several scanners, with pictures."""
    if not SHARED.is_dir():
        pytest.skip("the shared data is not beside this checkout")
    picture = tmp_path / "out.png"
    answer = inspect(SHARED / name, "--picture", picture)
    assert answer.exit_code == status
    assert words in answer.output
    assert picture.exists()
