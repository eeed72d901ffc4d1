"""What all messages are: a command of the host's, or an event that it is told of."""

import msgspec


class Command(msgspec.Struct, frozen=True, tag_field="do"):
    """What the host wants of the launcher."""


class Event(msgspec.Struct, frozen=True, tag_field="event"):
    """What happened."""


class RankEvent(Event, frozen=True):
    """An event of a rank."""

    rank: int
