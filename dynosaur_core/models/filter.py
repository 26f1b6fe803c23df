"""What the filter returns."""

from __future__ import annotations

from dynosaur_core.digest import digest
from dynosaur_core.models.base import ListOutput, Mode, Rejection, Stored, added
from dynosaur_core.models.instruction import TaskDesign
from dynosaur_core.text import Id, Line, Name, Text


class InstructionTask(Stored):
    """An accepted design: what its rows will be turned into."""

    repo_id: Id
    config: Name
    instruction: Text
    input_fields: tuple[Name, ...]
    output_field: Name
    labels: tuple[Name, ...] = ()
    """Allowed answers when the output is a closed set, or a list of items of one, in the data's own order; else
    empty."""
    mode: Mode
    model: Text
    list_output: ListOutput | None = added(None)
    """None where every row has one text."""
    label_words: tuple[tuple[Name, Name], ...] = added(())
    """Each label with the words in which records write it; empty where they write the labels themselves."""
    judged_by: Text | None = added(None)
    """The model that found nothing wrong with it; None where no model was asked."""
    judge_said: Line | None = added(None)
    """What that model gave as its grounds."""

    @property
    def task_id(self) -> str:
        """Content digest: the same design of the same subset has the same id in every growth."""
        return digest(self.repo_id, self.config, self.instruction, self.input_fields, self.output_field)[:16]

    @property
    def design(self) -> TaskDesign:
        """The design that it was made of, as it may go through the filter again."""
        return TaskDesign(
            instruction=self.instruction,
            input_fields=self.input_fields,
            output_fields=(self.output_field,),
            list_output=self.list_output,
            label_words=self.label_words,
        )


class FilterResult(Stored):
    """`proposed` equals the accepted tasks and the rejected ones (level task) added up."""

    proposed: int
    tasks: tuple[InstructionTask, ...]
    rejections: tuple[Rejection, ...]
    accepted: tuple[bool, ...] = ()
    """For each problem and design of the proposals, in their order: whether it is the next of `tasks`, or else of
    `rejections`. Results of earlier versions lack it."""
