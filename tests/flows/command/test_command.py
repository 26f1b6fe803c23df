"""The command as a person or a script runs it: exit status, stdout for data alone, one sentence for what is wrong."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.flows.command.conftest import SECRET, Run
from tests.support.datasets import REVIEW_FEATURES, reviews, write_dataset
from tests.support.llm import LlmServer


def test_help_fits_a_terminal(process: Run) -> None:
    shown = process("--help")
    commands = shown.out.partition("Commands:")[2]
    for name in (
        "grow",
        "backfill",
        "release",
        "demo",
        "check",
        "status",
        "failed",
        "explain",
        "stats",
        "export",
        "replay",
        "split",
        "subset",
        "evaluate",
        "finetune",
        "continual",
    ):
        assert f"\n  {name} " in commands
    assert "..." not in commands
    assert max(map(len, shown.out.splitlines())) <= 80


def test_a_process_of_its_own_ends_with_one_sentence(process: Run) -> None:
    done = process("grow", "--catalog", "nowhere")
    assert (done.status, done.out) == (2, "")
    assert done.err.splitlines()[0] == "dynosaur: BadCatalog: nowhere is not a folder"


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["grow", "--nope"], {}, "No such option"),
        (["nope"], {}, "No such command"),
        (["grow", "--limit", "0"], {}, "--limit"),
        (["grow", "--catalog", "nowhere"], {}, "nowhere is not a folder"),
        (["grow", "--catalog", "nowhere.jsonl"], {}, "nowhere.jsonl cannot be read"),
        (["grow", "--catalog", "ftp://x"], {}, "is no catalogue"),
        (["grow", "--catalog", "catalog", "--release", "ftp://x"], {}, "a release cannot go to"),
        (["grow", "--catalog", "catalog", "--store", "nothing://x"], {}, "store 'nothing://x' cannot be opened"),
        (["grow", "--catalog", "catalog", "--recipe", "nope"], {}, "Invalid value for '--recipe'"),
        (["grow", "--catalog", "catalog"], {"DYNOSAUR_LLM__TIMEOUT_S": SECRET}, "llm.timeout_s: "),
        (["backfill", "x", "--from-stage", "nope"], {}, "Invalid value for '--from-stage'"),
        (["backfill", "x", "--since", "yesterday"], {}, "modified_since: "),
        (["release"], {}, "no release is set"),
        (["finetune", "--out", "o"], {}, "name a mixture, a release or a file with --data"),
        (["finetune", "--data", "x.jsonl", "--out", "o", "--recipe", "t5-3"], {}, "did you mean t5-3b?"),
        (["finetune", "--data", "x.jsonl", "--out", "s3://b/o"], {}, "needs a folder of this machine"),
        (["finetune", "--data", "x.jsonl", "--out", "o", "--batch", "0"], {}, "smollm2-135m-lora, batch: "),
        (["release", "--store", "typo", "--release", "r"], {}, "there is no store at typo"),
        (["export", "x.jsonl", "--store", "typo"], {}, "there is no store at typo"),
        (["grow", "--catalog", "catalog"], {"DYNOSAUR_STOER": "x"}, "did you mean DYNOSAUR_STORE?"),
        (["status"], {}, "there is no store at "),
        (["backfill", "x/*", "--catalog", "catalog", "--store", "typo"], {}, "there is no store at typo"),
        (["backfill", "--error", "TimedOut", "--catalog", "catalog", "--store", "typo"], {}, "no store at typo"),
        (["backfill", "--catalog", "catalog", "--store", "typo"], {}, "choose datasets"),
        (["backfill", "x/*", "--catalog", "nowhere", "--store", "typo"], {}, "nowhere is not a folder"),
        (["grow", "--dry-run", "--catalog", "nowhere", "--store", "typo"], {}, "nowhere is not a folder"),
        (["grow", "--catalog", "catalog", "--release", "hf:/datasets/me/x"], {}, "a release cannot go to"),
        (["grow", "--catalog", "catalog", "--store", "s", "--release", "s/r"], {}, "into the store"),
        (["release", "--store", "catalog", "--release", ""], {}, "there is no store at catalog"),
        (["status"], {"DYNOSAUR_LEDGER": "junk"}, "ledger is not the SQLAlchemy URL"),
        (["status"], {"DYNOSAUR_LEDGER": "postgresql://host:port/x"}, "ledger is not the SQLAlchemy URL"),
        (["grow", "--catalog", "catalog"], {"DYNOSAUR_LEDGER": "nothing://host/x"}, "ledger is not the SQLAlchemy URL"),
        (["explain", "shop/reviews", "--store", "typo"], {}, "there is no store at typo"),
        (["check", "missing.jsonl", "--catalog", "catalog"], {}, "missing.jsonl cannot be read"),
    ],
)
def test_a_wrong_command_or_setting_ends_with_2_and_a_sentence(
    run: Run,
    catalog: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    variables: dict[str, str],
    words: str,
) -> None:
    for name, value in {"OPENAI_API_KEY": SECRET, **variables}.items():
        monkeypatch.setenv(name, value)
    done = run(*arguments)
    assert (done.status, done.out) == (2, ""), done
    assert words in done.err
    assert len(done.err.splitlines()) <= 4
    left = [path.name for path in tmp_path.iterdir() if path.name not in ("catalog", ".dynosaur")]
    assert left == []  # neither the store nor the release of a wrong command


@pytest.mark.parametrize("made", [False, True])
def test_a_dry_run_or_an_unknown_dataset_makes_no_store(
    run: Run, catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    if made:
        (tmp_path / "s").mkdir()
    where = ["--catalog", "catalog", "--store", "s", "--release", "r"]
    done = run("backfill", "x/y", *where)
    assert done.status == 1 and "x/y is not in folder catalog" in done.err
    assert run("backfill", "x/y", *where, "--dry-run").status == 1
    assert json.loads(run("grow", *where, "--dry-run", "--json").out)["planned"]["new"] == 2
    done = run("backfill", "shop/*", *where, "--dry-run", "--json")
    assert done.status == 0 and json.loads(done.out)["datasets"]
    assert [path.name for path in tmp_path.rglob("*") if "catalog" not in path.parts] == ["s"] * made


def test_the_last_lines_say_what_to_type_next(
    prefect_server: None, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    monkeypatch.setenv("DYNOSAUR_WITHDRAWN_FLOOR", "3")
    for number in range(5):
        rows = {"train": reviews(40, number * 100)}
        write_dataset(tmp_path / "shops", f"shop/r{number}", rows, features=REVIEW_FEATURES)
    where = ["--store", "my store"]
    where_to, release_to = ["--catalog", "shops"], ["--release", "out", "--withdraw-many"]
    done = run("grow", "--catalog", "shops", *where)
    assert done.status == 0
    [step] = [line for line in done.err.splitlines() if "--release FOLDER" in line]
    assert step.startswith("next: dynosaur release --store 'my store' --release FOLDER")
    assert run("release", *where, "--release", "out").status == 0
    for number in range(4):
        shutil.rmtree(tmp_path / "shops" / "shop" / f"r{number}")
    done = run("grow", "--catalog", "shops", *where, "--release", "out")
    assert done.status == 1 and "not withdrawn: WithdrawsMany: 4 of the 5 datasets" in done.err
    last = " ".join(done.err.splitlines()[-2:]).partition("next: ")[2].partition("    ")[0]
    assert shlex.split(last) == ["dynosaur", "grow", *where_to, "--store", "my store", *release_to]
    assert run("grow", "--catalog", "shops", *where, "--withdraw-many").status == 0
    done = run("release", *where, "--release", "out")
    assert done.status == 1 and "next: dynosaur release --release out --withdraw-many --store 'my store'" in done.err
    assert run("release", *where, "--release", "out", "--withdraw-many").status == 0


KEYS = {"planned", "grown", "refused", "failed", "deferred", "tasks", "rows", "records", "llm", "release", "growth_id"}


def test_a_growth_and_the_commands_that_look_at_it(
    prefect_server: None,
    endpoint: LlmServer,
    process: Run,
    run: Run,
    catalog: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DYNOSAUR_FAILURE_FLOOR", "0")
    broken = write_dataset(catalog, "odd/garbage", {"train": [{"a": 1}]})
    (broken / "train.jsonl").write_text("{{{{")
    where = ["--store", "store"]
    grow = ["grow", "--catalog", "catalog", *where, "--release", "release"]

    forecast = run(*grow, "--dry-run", "--json")
    assert (forecast.status, forecast.json()["planned"]["new"]) == (0, 3)
    assert sum(endpoint.seen.attempts.values()) == 0
    assert not (tmp_path / "release").exists()

    done = process(*grow, "--json", DYNOSAUR_FAILURE_FLOOR="0")
    assert done.status == 1  # one of three branches: more than max_failure_ratio
    report = done.json()
    assert set(report) >= KEYS
    assert set(report["planned"]) == {"new", "changed", "relicensed", "withdrawn", "retried", "unchanged"}
    assert (report["grown"], report["refused"], report["failed"]) == (2, {"refused_license": 1}, {"UnreadableFiles": 1})
    assert (report["deferred"], report["planned"]["new"]) == (0, 3)
    assert report["tasks"]["proposed"] == report["tasks"]["accepted"] + sum(report["tasks"]["rejected"].values())
    assert report["rows"]["sampled"] == report["rows"]["recorded"] + sum(report["rows"]["rejected"].values())
    assert set(report["llm"]) >= {"requests", "prompt_tokens", "completion_tokens", "cost_usd"}
    assert report["release"] == {"release": {"version": 1, "records": report["records"], "changed": True}}
    assert "odd/garbage: failed: UnreadableFiles" in done.err

    again = run(*grow)
    assert (again.status, again.out) == (0, "")
    assert "0 grown" in again.err and "(nothing new)" in again.err
    released = run("release", *where, "--release", "release", "--json").json()
    assert released["release"]["release"]["changed"] is False

    status = run("status", *where, "--json").json()
    assert status["datasets"] == {"grown": 2, "refused": 1, "failed": 1}
    assert len(status["growths"]) == 2
    shown = run("status", *where)
    assert shown.out == "" and "store: 4 datasets" in shown.err

    [failure] = run("failed", *where, "--json").json()
    assert (failure["dataset"], failure["code"], failure["stage"]) == ("odd/garbage", "UnreadableFiles", "metadata")
    shown = run("failed", *where)
    assert (shown.status, shown.out) == (0, "")
    for words in ("odd/garbage", failure["message"], failure["what_to_do"]):
        assert words in shown.err

    stats = run("stats", *where, "--json").json()
    assert (stats["records"], stats["datasets"], stats["tasks"]) == (report["records"], 2, report["tasks"]["accepted"])
    assert stats["records_by_license"] == {"mit": report["records"]}

    assert run("export", "out/all.jsonl", "--format", "messages", *where).status == 0
    assert len((tmp_path / "out" / "all.jsonl").read_text().splitlines()) == report["records"]
    assert run("export", "dump", "--format", "reference", *where).status == 0  # needs no catalogue
    assert len((tmp_path / "dump" / "huggingface_data.jsonl").read_text().splitlines()) == 2
    assert run("export", "x", "--format", "nope", *where).status == 2

    found = run("explain", "shop/reviews:default", *where, "--json").json()
    assert (found["outcome"], found["license"]) == ("grown", "mit")
    fields = found["source"]["configs"]["default"]["fields"]
    assert fields == {"text": "string", "label": "label (negative, positive)"}
    accepted = [design for design in found["designs"] if design["verdict"] == "accepted"]
    assert sum(design["rows_recorded"] for design in accepted) == found["records"] > 0
    assert {tuple(design["input_fields"]) for design in accepted} == {("text",), ("label",)}
    others = [design for design in found["designs"] if design["verdict"] != "accepted"]
    assert {design["verdict"] for design in others} == {"duplicate_mapping"}
    assert all(design["detail"] for design in others)
    requests = {request["request"]: request for request in found["requests"]}
    assert {design["request"] for design in found["designs"]} < set(requests)  # the judge was asked too
    for request in requests.values():
        assert "Dataset: shop/reviews" in request["sent"][-1]["content"]
        assert json.loads(request["came_back"])
    refused = run("explain", "press/stories", *where, "--json").json()
    assert (refused["outcome"], refused["code"], refused["stage"]) == ("refused", "refused_license", "survey")
    assert "cc-by-nd-4.0" in refused["message"]
    for name, meant in (
        ("nobody/nothing", ""),
        ("shop/revews", "did you mean shop/reviews?"),
        ("Reviews", "shop/reviews"),
    ):
        done = run("explain", name, *where)
        assert (done.status, done.out) == (1, "")
        assert done.err.startswith("dynosaur: NotFound: ") and meant in done.err
    done = run("explain", "shop/reviews:defalt", *where)
    assert done.status == 1 and "it has default; did you mean default?" in done.err
    shown = run("explain", "shop/reviews", *where)
    assert (shown.status, shown.out) == (0, "")
    for words in (
        "shop/reviews: grown, ",
        "label (negative, positive)",
        "text -> label",
        "rejected: duplicate_mapping",
        "2 records of ",
        "model: ",
        "next: dynosaur explain shop/reviews --store store --requests",
    ):
        assert words in shown.err
    shown = run("explain", "shop/reviews", *where, "--requests")
    assert "[came back]" in shown.err and "Dataset: shop/reviews" in shown.err
    shown = run("explain", "odd/garbage", *where)
    assert "failed: UnreadableFiles in metadata" in shown.err and failure["what_to_do"] in shown.err


def test_a_refused_key(
    prefect_server: None, endpoint: LlmServer, run: Run, catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_CONCURRENCY", "1")
    endpoint.behaviour.key = "another key"
    done = run("grow", "--catalog", "catalog", "--store", "store", "--json")
    assert done.status == 1
    assert (done.json()["grown"], done.json()["deferred"]) == (0, 2)
    found = run("explain", "museum/questions", "--store", "store", "--json").json()
    assert (found["code"], found["what_to_do"]) == ("ModelKeyRefused", "Check OPENAI_API_KEY.")
    [request] = found["requests"]
    assert "Dataset: museum/questions" in request["sent"][-1]["content"]
    assert request["came_back"] is None


def test_doctor_names_what_is_wrong(
    run: Run, endpoint: LlmServer, prefect_server: None, catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    well = run("doctor", "--catalog", "catalog", "--store", "store", "--json")
    assert (well.status, [finding["ok"] for finding in well.json()]) == (0, [True] * 7)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("DYNOSAUR_LLM__RETRY_S", "1")
    ill = run("doctor", "--catalog", "nowhere", "--store", "store", "--json")
    assert ill.status == 1
    wrong = {finding["part"]: finding for finding in ill.json() if not finding["ok"]}
    assert set(wrong) == {"catalogue nowhere", "model gpt-5.6-luna"}
    assert all(finding["what_to_do"] for finding in wrong.values())


def test_doctor_names_a_release_of_another_store(
    run: Run, prefect_server: None, catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNOSAUR_DESIGNING__DESIGNERS", "rules")
    monkeypatch.setenv("DYNOSAUR_RELEASE", "release")
    assert run("grow", "--catalog", "catalog", "--store", "store").status == 0
    where = ("doctor", "--catalog", "catalog", "--json", "--store")
    assert {each["part"] for each in run(*where, "store").json() if not each["ok"]} == set()
    [wrong] = [each for each in run(*where, "stroe").json() if not each["ok"]]
    assert wrong["part"] == "release release" and "another store" in wrong["found"] and "--store" in wrong["what_to_do"]


def test_a_prefect_that_is_away_is_one_sentence(process: Run, catalog: Path) -> None:
    rules = {"DYNOSAUR_DESIGNING__DESIGNERS": "rules", "PREFECT_CLIENT_MAX_RETRIES": "0"}
    done = process(
        *("grow", "--catalog", "catalog", "--store", "store"), PREFECT_API_URL="http://127.0.0.1:9/api", **rules
    )
    assert (done.status, done.out) == (1, "")
    sentence, advice = done.err.splitlines()[-2:]
    assert sentence.startswith("dynosaur: ConnectionFailed: Prefect (http://127.0.0.1:9/api) does not answer")
    assert "prefect server start" in advice
