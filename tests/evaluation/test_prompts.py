"""The prompts that a model is trained and measured with."""

from __future__ import annotations

from dynosaur_core.evaluation.prompts import prompt


def test_tk_instruct_ends_its_parts_in_a_mark() -> None:
    assert prompt("tk-instruct", "Name the animal", " It barks. ") == (
        "Definition: Name the animal.\n\nNow complete the following example -\nInput: It barks.\nOutput: "
    )


def test_tk_instruct_shows_examples_before_the_question() -> None:
    asked = prompt("tk-instruct", "Name it!", "woof", [("meow", "cat"), ("moo", "cow")])
    assert asked == (
        "Definition: Name it!\n\n"
        " Positive Example 1 -\nInput: meow.\n Output: cat.\n\n"
        " Positive Example 2 -\nInput: moo.\n Output: cow.\n\n"
        "Now complete the following example -\nInput: woof.\nOutput: "
    )


def test_plain_puts_each_part_on_lines_of_its_own() -> None:
    assert prompt("plain", "Name it.", "woof", [("moo", "cow")]) == (
        "Instruction:\nName it.\n\nInput:\nmoo\nAnswer:\ncow\n\nInput:\nwoof\nAnswer:\n"
    )
