"""Events that did not get through: what lies in our quarantine and in Lambda's on-failure destination, and redrive."""

from mdm_stream.dead_letters.contents import Contents, DeadEvent, Kind, read_contents
from mdm_stream.dead_letters.letters import DeadLetter, DeadLetters, Selection
from mdm_stream.dead_letters.redrive import Message, RedriveReport, RedriveRun, Streams

__all__ = [
    "Contents",
    "DeadEvent",
    "DeadLetter",
    "DeadLetters",
    "Kind",
    "Message",
    "RedriveReport",
    "RedriveRun",
    "Selection",
    "Streams",
    "read_contents",
]
