"""Prompts: what is asked of the model. The prefix (system text and examples) is the same for every dataset, so that
endpoints read it from their cache; the dataset comes last.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from dynosaur_core.instruction.examples import EXAMPLES, Example
from dynosaur_core.instruction.schema import FROM_DATA, FROM_DESCRIPTION, TASKS
from dynosaur_core.models import DatasetMetadata, Mode, Subset
from dynosaur_core.prompting import about_text, dataset_text, field_text, row_text, shown_fields
from dynosaur_core.settings import Designing

Message = dict[str, str]

_TASK_FORM = '{"input_fields": ["..."], "output_field": "...", "instruction": "..."}'
_SYSTEM = """Design instruction-following tasks from a dataset, given its fields and two of its rows. A task is \
applied to every row: a learner sees the instruction and the row's input fields, and writes its output field. Give up \
to {max_tasks} tasks that differ in what they ask; fewer good ones are better.
- Inputs hold all that the output needs. Outputs are worth learning to write: no ids, links, dates, sizes, counts. The \
place of an answer is one where the inputs list what can be chosen.
- The instruction fits every row, says what to write, and quotes nothing from the rows shown. Labels are added to it.
- Field names exactly as listed; one output field, which is no input.
- An output of several items: add "list_output": "references" if any one item is a full answer, "all" if it takes all \
of them, "sequence" if there is one for each item of an input.
- An output of codes (ele, 0): add "label_words": [{{"label": "ele", "words": "elementary"}}, ...] for every code; \
unless you know what they mean, choose another output.
Answer with JSON only: """
_ONE_FORM = f'{{"{TASKS}": [{_TASK_FORM}]}}'
_BOTH_FORM = (
    f'{{"{FROM_DESCRIPTION}": [tasks that the description suggests], '
    f'"{FROM_DATA}": [further tasks that the fields and rows alone suggest]}}, up to %d each, '
    f"every task as {_TASK_FORM}"
)
_ZERO_SHOT = """Here is a dataset. Each row has the fields below.

{dataset}

Write {max_tasks} different tasks for it. For each choose the output field, then the input fields that are needed to \
work it out, then write as its instruction one sentence that tells a person how to get the output from the inputs. The \
sentence must fit every row. Answer with JSON: a list named tasks, of objects with output_field, input_fields and \
instruction."""


def messages(
    metadata: DatasetMetadata, subset: Subset, modes: Sequence[Mode], designing: Designing, name: str
) -> tuple[Message, ...]:
    """The messages of one request for `modes` (one mode, or both at once) of a subset called `name`."""
    with_summary = Mode.DESCRIPTION_AWARE in modes
    shown = shown_fields(subset)
    section = subset.about if len(metadata.subsets) > 1 else None
    about = about_text(metadata.summary, subset.config, section) if with_summary else []
    fields = [field_text(field, subset.fact(field.name)) for field in shown]
    dataset = dataset_text(name, about, fields, [row_text(row, shown, designing) for row in subset.shown])
    if designing.zero_shot:
        text = _ZERO_SHOT.format(dataset=dataset, max_tasks=designing.max_tasks)
        return ({"role": "user", "content": text},)
    form = _BOTH_FORM % designing.max_tasks if len(modes) > 1 else _ONE_FORM
    system = _SYSTEM.format(max_tasks=designing.max_tasks) + form
    return ({"role": "system", "content": system}, *_examples(tuple(modes)), {"role": "user", "content": dataset})


def _examples(modes: tuple[Mode, ...]) -> tuple[Message, ...]:
    if len(modes) > 1:  # one example of each mode, its tasks shared out between the two lists
        both = [EXAMPLES[mode][index] for index, mode in enumerate(modes)]
        turns = [(example.question(True), _shared_out(example)) for example in both]
    else:
        aware = modes[0] is Mode.DESCRIPTION_AWARE
        turns = [(example.question(aware), example.answer()) for example in EXAMPLES[modes[0]]]
    return tuple(
        message
        for question, answer in turns
        for message in ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    )


def _shared_out(example: Example) -> str:
    *first, last = example.task_dicts()
    return json.dumps({FROM_DESCRIPTION: first, FROM_DATA: [last]}, ensure_ascii=False)
