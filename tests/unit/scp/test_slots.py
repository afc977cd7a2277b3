"""Counting associations over processes, and who is let in by the count."""

from dataclasses import dataclass, field

import pytest

from config import LimitSettings
from scp.receive.admission import Caller, Rejection
from scp.receive.door import Door
from scp.receive.slots import Slot, Slots, SlotTable

LIMITS = LimitSettings(associations=3, associations_per_address=2, presentation_contexts=4)


@dataclass
class FakeJournal:
    """Keeps what it is told."""

    entries: list[tuple[str, str]] = field(default_factory=list)

    def add(self, caller: Caller, reason: str, setting: str) -> None:
        """Take one over."""
        self.entries.append((f"{caller.address} {reason}", setting))


class Anyone:
    """Rules that let everyone in."""

    def judge(self, caller: Caller) -> Rejection | None:
        """None."""
        assert caller.address
        return None


def rows(limits: LimitSettings = LIMITS) -> tuple[SlotTable, Slots, Slots]:
    """Two processes' rows of one table."""
    table = SlotTable.create(limits, 2)
    return table, Slots(table, 0, limits), Slots(table, 1, limits)


def taken(slots: Slots, address: str) -> Slot:
    """A slot that is there."""
    slot = slots.take(address)
    assert slot is not None
    return slot


def test_connections_are_counted_over_both_processes() -> None:
    """In all, and of one address."""
    _, first, second = rows()
    taken(first, "192.0.2.1")
    taken(second, "192.0.2.2")
    occupied = taken(second, "192.0.2.1").occupancy()
    assert (occupied.in_all, occupied.of_address) == (3, 2)


def test_a_slot_is_given_back_once() -> None:
    """Freed twice it counts once, and can be taken anew."""
    _, first, _ = rows()
    slot = taken(first, "192.0.2.1")
    slot.free()
    slot.free()
    assert taken(first, "192.0.2.2").occupancy().in_all == 1


def test_what_a_dead_process_held_is_cleared() -> None:
    """Its row, and no other."""
    table, first, second = rows()
    taken(first, "192.0.2.1")
    kept = taken(second, "192.0.2.1")
    table.clear(0)
    assert kept.occupancy().in_all == 1


@pytest.mark.parametrize(
    ("others", "contexts", "setting"),
    [
        ([], 4, None),
        ([], 5, "limits.presentation_contexts"),
        (["192.0.2.1", "192.0.2.1"], 1, "limits.associations_per_address"),
        (["192.0.2.7", "192.0.2.8", "192.0.2.9"], 1, "limits.associations"),
    ],
    ids=["room", "contexts", "of one address", "in all"],
)
def test_beyond_a_limit_the_caller_may_come_again(
    others: list[str], contexts: int, setting: str | None
) -> None:
    """The rejection is transient, names the limit and is journalled."""
    _, first, _ = rows()
    journal = FakeJournal()
    door = Door(Anyone(), journal, first, LIMITS)
    for address in others:
        taken(first, address)
    slot = door.knock("192.0.2.1")
    assert slot is not None
    rejection = door.judge(Caller("SENDER", "NODE", "192.0.2.1"), slot, contexts)
    if setting is None:
        assert rejection is None
        return
    assert rejection is not None
    assert (rejection.result, rejection.source, rejection.reason) == (2, 3, 2)
    assert [each for _, each in journal.entries] == [setting]


def test_a_flood_from_one_address_is_not_even_heard() -> None:
    """Beyond a few that wait to be rejected, connections are closed; another address is heard."""
    _, first, second = rows()
    journal = FakeJournal()
    door = Door(Anyone(), journal, first, LIMITS)
    heard = [door.knock("192.0.2.1") for _ in range(30)]
    assert 0 < sum(slot is not None for slot in heard) < 20
    assert second.take("192.0.2.2") is not None
    assert {setting for _, setting in journal.entries} == {"limits.associations"}
