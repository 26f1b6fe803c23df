"""`dynosaur check`: one verdict a line, in order, as the filter stage would judge."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dynosaur_core.catalog.folder import FolderCatalog
from dynosaur_core.check import Checker
from dynosaur_core.errors import Code, DynosaurError
from dynosaur_core.settings import Settings
from dynosaur_core.store import Store
from flows.command.main import main
from tests.support.datasets import REVIEW_FEATURES, questions, reviews, write_dataset
from tests.support.llm import Asked, Behaviour, Judge, LlmServer


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    root = tmp_path / "hub"
    write_dataset(root, "shop/reviews", {"train": reviews()}, features=REVIEW_FEATURES, license=None)
    write_dataset(root, "museum/questions", {"train": questions(12), "test": questions(40, 100)})
    configs = [{"config_name": name, "data_files": f"{name}.jsonl"} for name in ("easy", "hard")]
    write_dataset(root, "shop/two", {"easy": questions(12), "hard": questions(12, 50)}, configs=configs)
    broken = write_dataset(root, "odd/broken", {"train": reviews(9)})
    (broken / "train.jsonl").write_text("{{{{")
    return root


def design(dataset: str = "shop/reviews", config: str | None = "default", **changes: Any) -> dict[str, Any]:
    asked = {
        "dataset": dataset,
        "config": config,
        "instruction": "Tell whether the given review is positive or negative.",
        "input_fields": ["text"],
        "output_field": "label",
    }
    if dataset != "shop/reviews":
        asked |= {
            "instruction": "Answer the question with the help of the context.",
            "input_fields": ["context", "question"],
            "output_field": "answer",
        }
    return {**asked, **changes}


CASES: list[tuple[dict[str, Any], str | None]] = [
    (design(), None),
    (design(instruction="Use the task"), "not_an_instruction"),
    (design(config=None), None),
    (design("museum/questions", instruction="Antworte: „wo“?\u2028Kurz, aus dem context."), None),
    (design("shop/two", "hard"), None),
    (design("shop/two", None), "unknown_subset"),
    (design("shop/two", "default"), "unknown_subset"),
    (design("nobody/nothing"), "unknown_subset"),
    (design("../hub/shop"), "unknown_subset"),
    (design("odd/broken"), "unknown_subset"),
    (design(input_fields=["words"]), "unknown_field"),
    (design(input_fields=["text", "label"]), "overlap"),
    (design(input_fields=[]), "no_input"),
    (design(output_field=["label", "text"]), "multiple_outputs"),
    (design(output_field=None), "no_output"),
    (design(instruction=""), "empty_instruction"),
    (design(list_output="some of them"), "malformed"),
    (design(list_output=None), None),
    ({"dataset": "shop/reviews", "config": "default"}, "empty_instruction"),
    ({**design(), "output_fields": ["label"], "output_field": ["label"]}, None),
    (design(), None),
]


def test_verdicts_stand_in_the_order_of_the_lines(catalog: Path, tmp_path: Path) -> None:
    checker = Checker(FolderCatalog(catalog), Store(str(tmp_path / "store")), Settings())
    lines = [json.dumps(case, ensure_ascii=False) for case, _ in CASES]
    verdicts = list(checker.check([lines[0], "", "  \n", *lines[1:]]))
    assert len(verdicts) == len(CASES)
    for (case, reason), verdict in zip(CASES, verdicts, strict=True):
        assert list(verdict.as_json()) == ["accepted", "reasons", "detail"]
        assert verdict.accepted is (reason is None) is (verdict.reasons == []), (case, verdict)
        assert reason is None or reason in verdict.reasons, (case, verdict)
    assert verdicts[0] == verdicts[-1]


@pytest.mark.parametrize("line", ["{", "[]", "3", '{"config": "default"}', '{"dataset": 3}'])
def test_a_line_that_is_no_design_is_named(catalog: Path, tmp_path: Path, line: str) -> None:
    checker = Checker(FolderCatalog(catalog), Store(str(tmp_path / "store")), Settings())
    verdicts = checker.check([json.dumps(design()), "", line])
    assert next(verdicts).accepted
    with pytest.raises(DynosaurError) as raised:
        next(verdicts)
    assert raised.value.code is Code.BAD_SETTING
    assert raised.value.message.startswith("line 3 ")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.command", "check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env={**os.environ})


def test_the_command(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text("".join(json.dumps(case, ensure_ascii=False) + "\n" for case, _ in CASES))
    done = run(tasks, "--catalog", catalog)
    assert (done.returncode, done.stderr) == (0, "")
    accepted = [json.loads(line)["accepted"] for line in done.stdout.splitlines()]
    assert accepted == [reason is None for _, reason in CASES]

    def wrong(given: Path) -> tuple[str, str]:
        """In this process, which has the libraries already."""
        monkeypatch.setattr(sys, "argv", ["dynosaur", "check", str(given), "--catalog", str(catalog)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        return capfd.readouterr()

    tasks.write_text(json.dumps(design()) + "\n{broken\n")
    out, err = wrong(tasks)
    assert len(out.splitlines()) == 1
    assert err.startswith("dynosaur: BadSetting: line 2 is not JSON")
    for given in (tmp_path / "missing.jsonl", tmp_path):
        out, err = wrong(given)
        assert (out, "Traceback" in err) == ("", False)


def test_the_judge_is_asked_about_what_the_filter_accepts(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tasks = tmp_path / "tasks.jsonl"
    cases = [
        design(),
        design(input_fields=["words"]),
        design("museum/questions"),
        design(instruction="Name the mood of the text."),
    ]
    tasks.write_text("".join(json.dumps(case) + "\n" for case in cases))
    with LlmServer(Behaviour(judge=Judge({"mood": ("mismatch", "Tell whether it is good.")}))) as server:
        for name, value in (("OPENAI_BASE_URL", server.url), ("OPENAI_API_KEY", "sk-test"), ("PREFECT_API_URL", "")):
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(
            sys, "argv", ["dynosaur", "check", str(tasks), "--catalog", str(catalog), "--judge", "--json"]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        asked = [Asked(tuple(body["messages"]), None) for body in server.seen.bodies.values()]
    assert ended.value.code in (0, None)
    verdicts = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [verdict["reasons"] for verdict in verdicts] == [[], ["unknown_field"], [], ["mismatch"]]
    mended = {
        **cases[3],
        "instruction": "Tell whether it is good.",
        "output_fields": [verdicts[3]["mended"]["output_fields"][0]],
    }
    mended.pop("output_field", None)
    named = {"judged_by": verdicts[0]["judged_by"], "mended": verdicts[3]["mended"]}
    assert verdicts[3] == {"accepted": False, "reasons": ["mismatch"], "detail": "It is mismatch.", **named}
    assert verdicts[3]["mended"] == mended
    assert verdicts[0]["judged_by"] and "judged_by" not in verdicts[1] and "mended" not in verdicts[0]
    # what the judge would have is a line to check
    tasks.write_text(json.dumps(verdicts[3]["mended"]) + "\n")
    monkeypatch.setattr(sys, "argv", ["dynosaur", "check", str(tasks), "--catalog", str(catalog)])
    with pytest.raises(SystemExit):
        main()
    assert json.loads(capfd.readouterr().out) == {"accepted": True, "reasons": [], "detail": ""}
    # one request for a dataset, and none about what the filter rejects
    assert sorted(len(each.tasks) for each in asked) == [1, 2]
