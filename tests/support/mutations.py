"""Damage, by chance but repeatable: to data sets, command sets and streams of data units."""

import struct
from collections.abc import Callable
from random import Random

from tests.support.data_units import (
    ABORT,
    ASSOCIATE_RQ,
    ECHO_CONTEXT,
    P_DATA,
    RELEASE_RQ,
    STORE_CONTEXT,
    command_set,
    echo_command,
    message,
    pdu,
    pdv,
    store_command,
)
from tests.support.raw_instances import PIXEL_DATA, RawInstance, nested_sequences, raw_instance

_EXTREME_LENGTHS = (0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_MOST_BYTES = 600
_MOST_DEPTH = 80
_COMMAND_FIELDS = (0x0001, 0x0010, 0x0020, 0x0021, 0x0030, 0x0100, 0x0130, 0x0FFF, 0x8001, 0x8030)
_CONTEXTS = (STORE_CONTEXT, STORE_CONTEXT, ECHO_CONTEXT, 5, 0, 255)

Bytes = Callable[[Random, bytes], bytes]


def damaged_instance(chance: Random) -> RawInstance:
    """An instance whose command is right and whose data set is not, or just unusual."""
    instance = raw_instance(chance.randrange(_MOST_BYTES))
    data_set = instance.data_set
    if chance.random() < 0.1:
        depth = chance.randrange(1, _MOST_DEPTH)
        tag = (chance.choice((0x0008, 0x0040)), 0x1110)
        changes = {tag: nested_sequences(depth), PIXEL_DATA: None}
        data_set = raw_instance(sop_instance=instance.sop_instance, changes=changes).data_set
    return RawInstance(instance.sop_instance, _damaged(chance, data_set))


def damaged_command(chance: Random) -> bytes:
    """A message whose command set is wrong, its fragments right."""
    instance = raw_instance(chance.randrange(_MOST_BYTES))
    elements = store_command(instance.sop_class, instance.sop_instance, chance.randrange(0xFFFF))
    if chance.random() < 0.2:
        elements = echo_command(chance.randrange(0xFFFF))
    for _ in range(chance.randrange(3)):
        number = chance.choice([*elements, chance.randrange(0, 0xFFFF, 2)])
        elements[number] = chance.randbytes(chance.choice((0, 1, 2, 2, 4, 64, 300)))
    if chance.random() < 0.3:
        elements[0x0100] = struct.pack("<H", chance.choice(_COMMAND_FIELDS))
    if chance.random() < 0.3:
        elements.pop(chance.choice(list(elements)))
    command = command_set(elements)
    if chance.random() < 0.5:
        command = _damaged(chance, command)
    data_set = instance.data_set if chance.random() < 0.9 else None
    return message(chance.choice(_CONTEXTS), command, data_set, chance.randrange(20, 2_000))


def damaged_stream(chance: Random) -> bytes:
    """A message whose data units are wrong, missing, doubled or in another order."""
    instance = raw_instance(chance.randrange(_MOST_BYTES))
    number = chance.randrange(1, 0xFFFF)
    command = command_set(store_command(instance.sop_class, instance.sop_instance, number))
    units = [
        pdu(P_DATA, each)
        for content, is_command in ((command, True), (instance.data_set, False))
        for each in _values(chance, content, is_command=is_command)
    ]
    for _ in range(chance.randrange(1, 3)):
        chance.choice((_drop, _double, _swap, _insert, _change))(chance, units)
    stream = b"".join(units)
    return stream[: chance.randrange(len(stream) + 1)] if chance.random() < 0.2 else stream


def _damaged(chance: Random, content: bytes) -> bytes:
    """Content after one to three kinds of damage."""
    for _ in range(chance.randrange(1, 4)):
        content = chance.choice(_DAMAGES)(chance, content)
    return content


def _flip(chance: Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.randrange(1, 5)):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: Random, content: bytes) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _remove(chance: Random, content: bytes) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + content[start + chance.randrange(40) :]


def _add(chance: Random, content: bytes) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + chance.randbytes(chance.randrange(40)) + content[start:]


def _repeat(chance: Random, content: bytes) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content + content[start : start + chance.randrange(100)]


def _extreme_length(chance: Random, content: bytes) -> bytes:
    start = chance.randrange(len(content) + 1)
    value = chance.choice(_EXTREME_LENGTHS)
    length = (
        struct.pack("<I", value) if chance.random() < 0.5 else struct.pack("<H", value & 0xFFFF)
    )
    return content[:start] + length + content[start + len(length) :]


def _noise(chance: Random, _content: bytes) -> bytes:
    return chance.randbytes(chance.randrange(_MOST_BYTES))


_DAMAGES: tuple[Bytes, ...] = (_flip, _flip, _flip, _cut, _remove, _add, _repeat, _extreme_length)
_DAMAGES += (_noise,)


def _values(chance: Random, content: bytes, *, is_command: bool) -> list[bytes]:
    """A content in values of random length, one of which may say something wrong of itself."""
    step = chance.randrange(20, 500)
    starts = range(0, len(content), step)
    values = [
        pdv(STORE_CONTEXT, content[start : start + step], command=is_command, last=False)
        for start in starts[:-1]
    ]
    values.append(pdv(STORE_CONTEXT, content[starts[-1] :], command=is_command, last=True))
    if chance.random() < 0.3:
        wrong = chance.randrange(len(values))
        head = struct.pack(
            ">IBB",
            chance.choice((len(values[wrong]) - 4, *_EXTREME_LENGTHS)),
            chance.choice(_CONTEXTS),
            chance.choice((0, 1, 2, 3, 4, 0xFF)),
        )
        values[wrong] = head + values[wrong][len(head) :]
    return values


def _drop(chance: Random, units: list[bytes]) -> None:
    if units:
        units.pop(chance.randrange(len(units)))


def _double(chance: Random, units: list[bytes]) -> None:
    if units:
        units.insert(chance.randrange(len(units)), chance.choice(units))


def _swap(chance: Random, units: list[bytes]) -> None:
    if units:
        units.append(units.pop(chance.randrange(len(units))))


def _insert(chance: Random, units: list[bytes]) -> None:
    kind = chance.choice((0, ASSOCIATE_RQ, P_DATA, RELEASE_RQ, ABORT, chance.randrange(256)))
    unit = pdu(kind, chance.randbytes(chance.choice((0, 4, 10, 100))))
    units.insert(chance.randrange(len(units) + 1), unit)


def _change(chance: Random, units: list[bytes]) -> None:
    """Damage a unit, half of the time in its length alone."""
    if not units:
        return
    number = chance.randrange(len(units))
    if chance.random() < 0.5:
        length = struct.pack(">I", chance.choice(_EXTREME_LENGTHS))
        units[number] = units[number][:2] + length + units[number][6:]
    else:
        units[number] = _damaged(chance, units[number])
