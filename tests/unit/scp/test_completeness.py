"""The verdict on whether a series is complete."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scp.completeness import (
    Arrivals,
    ArrivedAssociation,
    ArrivedInstance,
    Completeness,
    Moment,
    Outcome,
    Rule,
    Weight,
    assess,
)
from scp.ledger.states import AssociationEnd
from scp.stack_of_slices import Slice, Stack, StackKind

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
EVIDENCE = Rule(quiet_time_s=30, finish="evidence", limit_s=600, at_limit="hold")
QUIET = replace(EVIDENCE, finish="quiet")
RELEASED = ArrivedAssociation(NOW, NOW, AssociationEnd.RELEASED, NOW)
OPEN = ArrivedAssociation(NOW, NOW, None, None)
ABORTED = replace(RELEASED, end=AssociationEnd.ABORTED)


def image(number: int, z_mm: float | None = None, **facts: int) -> ArrivedInstance:
    """An axial image; without a height it has no position."""
    place = None if z_mm is None else Slice((0.0, 0.0, z_mm), (0.0, 0.0, 1.0))
    return ArrivedInstance(f"1.{number}", slice=place, **facts)


STACK = tuple(image(number, 1.25 * number) for number in range(5))
ANNOUNCED = tuple(image(number, announced_in_series=5) for number in range(5))


def arrivals(
    instances: Sequence[ArrivedInstance] = STACK,
    associations: Sequence[ArrivedAssociation] = (RELEASED,),
    **changes: object,
) -> Arrivals:
    """A series whose last instance came at NOW."""
    base = Arrivals(NOW, NOW, instances, associations, strays=0, sender_is_busy=False)
    return replace(base, **changes)  # type: ignore[arg-type]


def moment(after_s: float) -> Moment:
    """So long after NOW; everything before is known."""
    now = NOW + timedelta(seconds=after_s)
    return Moment(now, now, NOW - timedelta(hours=1))


def verdict(series: Arrivals, after_s: float, rule: Rule = EVIDENCE) -> tuple[Outcome, str]:
    found = assess(series, rule, moment(after_s))
    return found.outcome, found.because


def weight(found: Completeness, fact: str) -> Weight:
    """What a fact says, named by its first words."""
    (only,) = [each for each in found.evidence if each.fact.startswith(fact)]
    return only.weight


@pytest.mark.parametrize(("after_s", "outcome"), [(29.9, "waiting"), (30, "complete")])
def test_quiet_time_alone_counts_where_the_route_says_so(after_s: float, outcome: str) -> None:
    """Nothing else does, however clearly it speaks."""
    assert verdict(arrivals(associations=[ABORTED]), after_s, QUIET)[0] == outcome
    assert verdict(arrivals(), after_s, QUIET)[0] == outcome


def test_quiet_is_counted_while_the_node_is_awake() -> None:
    """The time that the node was down is no quiet."""
    woken = replace(moment(60), awake_since=NOW + timedelta(seconds=31))
    assert assess(arrivals(), QUIET, woken).outcome is Outcome.WAITING
    woken = replace(moment(60), awake_since=NOW + timedelta(seconds=30))
    assert assess(arrivals(), QUIET, woken).outcome is Outcome.COMPLETE


def test_what_is_not_known_yet_is_no_quiet() -> None:
    """An instance may be on its way to the index."""
    late = replace(moment(60), known_until=NOW + timedelta(seconds=29))
    assert assess(arrivals(), QUIET, late).outcome is Outcome.WAITING


def test_announced_and_released_is_complete_at_once() -> None:
    assert verdict(arrivals(ANNOUNCED), 0.0) == (Outcome.COMPLETE, "evidence")


def test_even_positions_and_released_is_complete_as_soon_as_the_sender_is_idle() -> None:
    assert verdict(arrivals(), 0.9) == (Outcome.WAITING, "")
    assert verdict(arrivals(), 1.0) == (Outcome.COMPLETE, "evidence")


@pytest.mark.parametrize(
    "series",
    [
        arrivals(ANNOUNCED, [OPEN]),
        arrivals(ANNOUNCED, [RELEASED, OPEN]),
        arrivals(ANNOUNCED, sender_is_busy=True),
        arrivals(ANNOUNCED, strays=1),
        arrivals(ANNOUNCED, []),
        arrivals((*STACK, image(9, 99.0))),
        arrivals((*STACK, image(9, 0.0))),
        arrivals((*STACK, image(9))),
        arrivals(STACK[:2]),
        arrivals([image(n, n, announced_in_acquisition=9) for n in range(5)]),
    ],
)
def test_what_proves_nothing_waits_for_the_quiet_time(series: Arrivals) -> None:
    """Something is open, unknown or uneven: no early end, but nothing speaks against one."""
    assert verdict(series, 29.9) == (Outcome.WAITING, "")
    assert verdict(series, 30) == (Outcome.COMPLETE, "quiet")


@pytest.mark.parametrize(
    "series",
    [
        arrivals(ANNOUNCED[:4]),
        arrivals([replace(each, announced_in_series=6) for each in STACK]),
        arrivals(ANNOUNCED, [ABORTED]),
        arrivals(STACK, [RELEASED, replace(ABORTED, end=AssociationEnd.LOST)]),
    ],
)
def test_what_speaks_against_it_waits_for_the_limit(series: Arrivals) -> None:
    """Images are missing, or the sender broke off."""
    assert verdict(series, 599) == (Outcome.WAITING, "")
    assert verdict(series, 600) == (Outcome.HELD, "limit")
    processed = replace(EVIDENCE, at_limit="process")
    assert verdict(series, 600, processed) == (Outcome.COMPLETE, "limit")


def test_a_series_that_never_rests_ends_at_the_limit() -> None:
    """Counted from its first instance, on a route without evidence too."""
    restless = arrivals(opened_at=NOW - timedelta(seconds=595))
    assert verdict(restless, 4.9, QUIET) == (Outcome.WAITING, "")
    assert verdict(restless, 5, QUIET) == (Outcome.HELD, "limit")


def test_a_later_association_makes_good_what_an_aborted_one_left() -> None:
    again = replace(RELEASED, began_at=NOW + timedelta(seconds=1))
    assert verdict(arrivals(ANNOUNCED, [ABORTED, again]), 0.0)[0] is Outcome.COMPLETE
    before = replace(RELEASED, began_at=NOW - timedelta(seconds=1))
    assert verdict(arrivals(ANNOUNCED, [ABORTED, before]), 0.0)[0] is Outcome.WAITING


def test_a_sender_with_pauses_between_its_associations_is_given_longer() -> None:
    """Three times its longest pause, before positions alone are trusted."""
    began = NOW - timedelta(seconds=4)
    ended = replace(RELEASED, began_at=began, last_at=began, ended_at=began)
    series = arrivals(STACK, [ended, RELEASED])
    assert verdict(series, 11.9) == (Outcome.WAITING, "")
    assert verdict(series, 12) == (Outcome.COMPLETE, "evidence")
    lost = replace(ended, end=AssociationEnd.LOST)
    assert verdict(arrivals(STACK, [lost, RELEASED]), 1.0) == (Outcome.COMPLETE, "evidence")


def test_images_of_acquisitions_are_counted_by_frame() -> None:
    """Two acquisitions, one of them in one multi-frame instance."""
    single = [image(n, acquisition=1, announced_in_acquisition=2) for n in range(2)]
    multi = image(9, acquisition=2, announced_in_acquisition=40, frames=40)
    found = assess(arrivals([*single, multi]), EVIDENCE, moment(0))
    assert found.outcome is Outcome.COMPLETE
    assert weight(found, "announced for its acquisitions") is Weight.FOR
    assert verdict(arrivals([*single[:1], multi]), 0.0)[0] is Outcome.WAITING


def test_two_versions_of_an_instance_count_once() -> None:
    twice = [*ANNOUNCED, replace(ANNOUNCED[0], acquisition=3)]
    assert verdict(arrivals(twice), 0.0) == (Outcome.COMPLETE, "evidence")


def test_every_fact_is_told_with_its_value() -> None:
    """As JSON has it: no value is left out, whatever decided."""
    told = assess(arrivals(ANNOUNCED[:4]), EVIDENCE, moment(5)).as_document()
    facts = {each["fact"]: each for each in told["evidence"]}
    assert told["outcome"] == "waiting"
    assert facts["quiet time"]["value"] == "5.0 s of 30 s"
    assert facts["associations"] == {
        "fact": "associations",
        "value": "1 released",
        "weight": "for",
        "at": NOW.isoformat(),
    }
    assert facts["announced for the series (0020,1209)"]["value"] == "4 of 5 instances came"
    assert facts["announced for the series (0020,1209)"]["weight"] == "against"


@pytest.mark.parametrize(
    ("heights", "kind", "words"),
    [
        ([0, 2, 4, 6], StackKind.REGULAR, "4 positions, 2.00 mm apart, no gap"),
        ([6, 0, 4, 2], StackKind.REGULAR, "4 positions"),
        ([0, 2, 6, 8], StackKind.IRREGULAR, "a gap of 4.00 mm where 2.00 mm are usual"),
        ([0, 2, 4, 5], StackKind.IRREGULAR, "distances from 1.00 to 2.00 mm"),
        ([0, 0, 2, 4], StackKind.IRREGULAR, "some positions 1 times, others 2 times"),
        ([0, 0, 2, 2, 4, 4], StackKind.REGULAR, "3 positions"),
        ([0, 2], StackKind.NONE, "no stack"),
        ([0, 2, 4, None], StackKind.NONE, "not every instance has a position"),
    ],
)
def test_stacks(heights: list[float | None], kind: StackKind, words: str) -> None:
    stack = Stack.of([image(n, z).slice for n, z in enumerate(heights)])
    assert stack.kind is kind
    assert words in stack.description


def test_planes_of_several_directions_are_no_stack() -> None:
    localizer = Slice((0.0, 0.0, 2.0), (1.0, 0.0, 0.0))
    placed = [each.slice for each in STACK]
    assert Stack.of([*placed, localizer]).kind is StackKind.NONE


times = st.integers(-50, 50).map(lambda tenths: NOW + timedelta(seconds=tenths / 10))
ends = st.sampled_from([None, *AssociationEnd])
associations = st.builds(
    lambda began, length, end: ArrivedAssociation(
        began, began, end, began + timedelta(seconds=length) if end else None
    ),
    times,
    st.integers(0, 5),
    ends,
)
images = st.builds(
    lambda number, height, announced, acquired: image(
        number,
        height,
        **({"announced_in_series": announced} if announced else {}),
        **({"announced_in_acquisition": acquired, "acquisition": 1} if acquired else {}),
    ),
    st.integers(0, 8),
    st.none() | st.integers(0, 8).map(float),
    st.integers(0, 6),
    st.integers(0, 6),
)
any_arrivals = st.builds(
    Arrivals,
    times,
    times,
    st.lists(images, min_size=1, max_size=8),
    st.lists(associations, max_size=4),
    st.integers(0, 2),
    st.booleans(),
)
any_rule = st.builds(
    Rule,
    st.sampled_from([1.0, 10.0]),
    st.sampled_from(["quiet", "evidence"]),
    st.sampled_from([10.0, 30.0]),
    st.sampled_from(["process", "hold"]),
)
seconds = st.floats(0, 60, allow_nan=False)


@given(any_arrivals, any_rule, seconds, seconds)
def test_a_verdict_is_never_taken_back_by_time_alone(
    series: Arrivals, rule: Rule, one_s: float, other_s: float
) -> None:
    """What was complete or held stays so, and all that waits ends at the limit."""
    earlier, later = sorted((one_s, other_s))
    before, after = (assess(series, rule, moment(at)).outcome for at in (earlier, later))
    if before is Outcome.COMPLETE:
        assert after is Outcome.COMPLETE
    elif before is Outcome.HELD:
        assert after is not Outcome.WAITING
    end_s = (series.opened_at - NOW).total_seconds() + rule.limit_s
    assert assess(series, rule, moment(end_s)).outcome is not Outcome.WAITING


@given(any_arrivals, any_rule, seconds, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_neither_verdict_nor_evidence(
    series: Arrivals, rule: Rule, after_s: float, random: Random
) -> None:
    instances, brought = list(series.instances), list(series.associations)
    random.shuffle(instances)
    random.shuffle(brought)
    shuffled = replace(series, instances=instances, associations=brought)
    assert assess(shuffled, rule, moment(after_s)) == assess(series, rule, moment(after_s))


@given(any_arrivals, any_rule, seconds)
def test_evidence_never_decides_on_an_open_association(
    series: Arrivals, rule: Rule, after_s: float
) -> None:
    """Nor where the sender broke off at the end: then time decides."""
    brought = [*series.associations, replace(OPEN, began_at=NOW + timedelta(seconds=9))]
    found = assess(replace(series, associations=brought), rule, moment(after_s))
    assert found.because != "evidence"
