"""The base of all messages: a command of the host, or an event for the host."""

import msgspec


class Command(msgspec.Struct, frozen=True, tag_field="do"):
    """The host wants the launcher to do something."""


class Event(msgspec.Struct, frozen=True, tag_field="event"):
    """Something happened."""


class RankEvent(Event, frozen=True):
    """An event of a rank."""

    rank: int
