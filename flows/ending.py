"""How a flow run ends, and what its log says of it: a sentence for what has one, a traceback for bugs alone."""

from __future__ import annotations

import logging
from typing import Any

from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun
from prefect.states import Failed

from dynosaur_core.errors import Code, DynosaurError

_LOGGERS = ("prefect.flow_runs", "prefect.task_runs", "prefect.engine")


def failed(message: str) -> State[Any]:
    """A flow run that did its work and whose verdict is Failed. It holds no data: Prefect would raise them."""
    return Failed(message=message)


def _says_nothing(record: logging.LogRecord) -> bool:
    """Whether it says only that a task run went well, as the run itself does: thousands would fill the database."""
    plain = record.levelno <= logging.INFO and record.name == "prefect.task_runs"
    return plain and record.getMessage() == "Finished in state Completed()"


def _told(error: DynosaurError) -> str:
    return f"{error.code}: {error.message} -> {error.policy.advice}"


class _Sentence(logging.Filter):
    """Replaces the traceback of an error that has a code by the error's sentence, unless the log level is DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _says_nothing(record):
            return False
        error = record.exc_info[1] if record.exc_info else None
        coded = isinstance(error, DynosaurError) and error.code is not Code.UNEXPECTED
        if (coded or isinstance(error, FailedRun)) and not logging.getLogger(record.name).isEnabledFor(logging.DEBUG):
            record.msg = _told(error) if isinstance(error, DynosaurError) else f"failed: {error}"
            record.args = ()
            record.exc_info = record.exc_text = None
        return True


def _sentences_in_logs() -> None:
    """From now on the flow and task runs of this process log so."""
    sentence = _Sentence()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(sentence)


_sentences_in_logs()  # with the flows: a worker imports them and nothing else of ours
