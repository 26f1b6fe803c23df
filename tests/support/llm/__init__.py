"""A loopback endpoint of the OpenAI API for tests and for trying the command by hand: `python -m tests.support.llm`."""

from tests.support.llm.answer import Asked, Judge, Replay, design
from tests.support.llm.faults import Faults
from tests.support.llm.server import Behaviour, LlmServer

__all__ = ["Asked", "Behaviour", "Faults", "Judge", "LlmServer", "Replay", "design"]
